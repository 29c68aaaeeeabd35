/**
 * One RTMP connection from its first byte to its end: reads the socket into the session inside try/catch, keeps the
 * times and bounds, asks for authorisation, and tells the sink how it ended.
 */
import type { Socket } from 'node:net';
import { BitrateMeter } from './bitrate_meter.ts';
import type { IngestCounters, RefusalReason } from './ingest_counters.ts';
import type { IngestLimits, IngestLogger, IngestTimings } from './ingest_options.ts';
import { PublishRefused } from './publisher.ts';
import type { AcceptPublisher, PublishEnd, PublisherConnection, PublishSink } from './publisher.ts';
import type { PublishTarget } from './publish_target.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';
import { RtmpSession } from './rtmp_session.ts';
import type { MediaTag } from '../flv/media_tag.ts';

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly accept: AcceptPublisher;
  readonly apps: readonly string[];
  readonly limits: IngestLimits;
  readonly timings: IngestTimings;
  readonly counters: IngestCounters;
  readonly logger: IngestLogger;
  readonly monotonicMs: () => number;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly connectionId: string;
  readonly clientAddress: string;
  /** When the TCP connection came in. */
  readonly openedAtMs: number;
  readonly context: ConnectionContext;
}

const MAX_LINGER_BYTES = 4 * 1024 * 1024;

export class RtmpConnection implements PublisherConnection {
  readonly connectionId: string;
  readonly clientAddress: string;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #session: RtmpSession;
  readonly #bitrate: BitrateMeter;
  readonly #openedAtMs: number;
  /** From when the publish command is waited for. */
  #waitingSinceMs: number;
  #authorisingSinceMs = 0;
  #readAtMs: number;
  #pingedAtMs: number;
  #bytesReceived = 0;
  /** What `bytesReceived` was when `#waitingSinceMs` was set. */
  #waitingSinceBytes = 0;
  #sink: PublishSink | undefined;
  #authorisation: AbortController | undefined;
  /** When a connection that was told why is destroyed. */
  #lingerUntilMs: number | undefined;
  #lingerBytes = 0;
  #done = false;

  constructor(options: ConnectionOptions) {
    this.connectionId = options.connectionId;
    this.clientAddress = options.clientAddress;
    this.#socket = options.socket;
    this.#context = options.context;
    this.#openedAtMs = options.openedAtMs;
    this.#waitingSinceMs = options.openedAtMs;
    this.#readAtMs = options.context.monotonicMs();
    this.#pingedAtMs = this.#readAtMs;
    this.#bitrate = new BitrateMeter(options.context.timings.bitrateWindowMs);
    const { limits, apps, counters } = options.context;
    this.#session = new RtmpSession({
      limits,
      apps,
      handlers: {
        output: (bytes) => this.#write(bytes),
        publishRequested: (target) => this.#authorise(target),
        media: (tag) => this.#media(tag),
        goodbye: () => this.#goodbye(),
        refused: (reason, code) => this.#refused(reason, code),
        mediaDropped: () => (counters.mediaDropped += 1),
        metadataIgnored: () => (counters.metadataIgnored += 1),
      },
    });
  }

  /** Begins to read. */
  start(): void {
    const socket = this.#socket;
    socket.on('data', (data: Buffer) => this.#read(data));
    socket.on('end', () => this.#finish('lost', 'the publisher closed the connection'));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#finish('lost', `socket error ${error.code ?? error.name}`),
    );
    socket.on('close', () => this.#finish('lost', 'the connection closed'));
    socket.resume();
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get silentForMs(): number {
    return this.#context.monotonicMs() - this.#readAtMs;
  }

  /** True while it is not live. */
  get pending(): boolean {
    return this.#session.state !== 'live';
  }

  /** True until it asks to publish, and after it was refused. */
  get displaceable(): boolean {
    return this.#session.state !== 'live' && this.#session.state !== 'authorising';
  }

  requestReconnect(description: string): boolean {
    if (this.#closing) return false;
    let asked = false;
    this.#guard(() => {
      asked = this.#session.requestReconnect(description);
    });
    return asked;
  }

  reject(code: string, description: string): void {
    this.#reject('by-stream', code, description);
  }

  close(): void {
    this.#count('by-stream');
    this.#finish('refused', 'closed by the server');
  }

  displace(): void {
    this.#count('displaced');
    this.#finish('refused', 'displaced by a newer connection');
  }

  /** The server stops: says so and closes. */
  shutdown(): void {
    this.#reject('shutdown', 'NetConnection.Connect.AppShutdown', 'The server is shutting down.');
  }

  /** Looks at the clock; called every `tickMs`. */
  tick(nowMs: number): void {
    const { timings } = this.#context;
    if (this.#done) return;
    if (this.#lingerUntilMs !== undefined) {
      if (nowMs >= this.#lingerUntilMs) this.#finish('refused', 'refused');
      return;
    }
    switch (this.#session.state) {
      case 'authorising':
        if (nowMs - this.#authorisingSinceMs >= timings.authorizationMs) {
          this.#reject('accept-timeout', 'NetStream.Publish.Rejected', 'Authorisation took too long. Try again.');
        }
        return;
      case 'live':
        this.#tickLive(nowMs);
        break;
      default:
        if (!this.#session.handshakeDone && nowMs - this.#openedAtMs >= timings.handshakeMs) {
          this.#tooSlow('slow-handshake');
        } else if (nowMs - this.#waitingSinceMs >= timings.publishMs) this.#tooSlow('no-publish');
    }
    if (nowMs - this.#pingedAtMs >= timings.pingMs && !this.#closing) {
      this.#pingedAtMs = nowMs;
      this.#guard(() => this.#session.ping(Math.floor(nowMs)));
    }
  }

  #tickLive(nowMs: number): void {
    const { timings, limits } = this.#context;
    if (nowMs - this.#readAtMs >= timings.silenceMs) {
      this.#finish('lost', `silent for ${Math.round((nowMs - this.#readAtMs) / 1000)} s`);
      return;
    }
    const bitrate = this.#bitrate.sample(nowMs, this.#bytesReceived);
    const limit = this.#sink?.maxBitrate ?? limits.bitrate;
    if (bitrate === undefined || bitrate <= limit) return;
    const allowed = Math.round(limit / 1000);
    this.#reject('bitrate', 'NetStream.Publish.Rejected', `The bitrate stayed above the ${allowed} kb/s allowed here.`);
  }

  get #closing(): boolean {
    return this.#done || this.#lingerUntilMs !== undefined;
  }

  #read(data: Buffer): void {
    const { counters, limits } = this.#context;
    this.#bytesReceived += data.length;
    counters.bytesReceived += data.length;
    if (this.#closing) {
      this.#lingerBytes += data.length;
      if (this.#lingerBytes > MAX_LINGER_BYTES) this.#finish('refused', 'refused');
      return;
    }
    this.#readAtMs = this.#context.monotonicMs();
    this.#guard(() => {
      this.#session.feed(data);
      const waited = this.#bytesReceived - this.#waitingSinceBytes;
      if (this.displaceable && !this.#closing && waited > limits.bytesBeforePublish) {
        throw new RtmpProtocolError('flood', `more than ${limits.bytesBeforePublish} bytes before publish`);
      }
      if (!this.#closing) this.#session.acknowledge(this.#bytesReceived);
    });
    // Reading goes on a little while authorising, because a paused socket does not see the peer go away.
    if (this.#session.state === 'authorising' && this.#session.heldBytes > limits.heldBytes) this.#socket.pause();
  }

  /** Nothing that a peer sends throws further than this. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      const { counters, logger } = this.#context;
      const errorClass = error instanceof RtmpProtocolError ? error.errorClass : 'internal';
      const message = error instanceof Error ? error.message : 'not an Error';
      counters.protocolErrors[errorClass] += 1;
      const fields = { connectionId: this.connectionId, clientAddress: this.clientAddress, errorClass };
      if (errorClass === 'internal') {
        logger.error({ ...fields, stack: error instanceof Error ? error.stack : undefined }, 'ingest: parser failed');
      } else logger.warn({ ...fields, problem: message }, 'ingest: protocol error, connection destroyed');
      this.#finish('lost', `protocol error (${errorClass})`);
    }
  }

  #write(bytes: Buffer): void {
    if (this.#done || !this.#socket.writable) return;
    this.#socket.write(bytes);
    if (this.#socket.writableLength > this.#context.limits.unsentBytes) {
      throw new RtmpProtocolError('flood', `the peer leaves ${this.#socket.writableLength} bytes of replies unread`);
    }
  }

  #authorise(target: PublishTarget): void {
    const { accept, monotonicMs } = this.#context;
    this.#authorisingSinceMs = monotonicMs();
    const abort = new AbortController();
    this.#authorisation = abort;
    const request = { ...target, clientAddress: this.clientAddress, connectionId: this.connectionId };
    // In a promise, so that what `accept` throws is a refusal too, and never inside the parser.
    Promise.resolve()
      .then(() => accept(request, this, abort.signal))
      .then(
        (sink) => this.#accepted(sink, abort),
        (error: unknown) => this.#notAccepted(error, abort),
      );
  }

  #accepted(sink: PublishSink, abort: AbortController): void {
    if (this.#authorisation !== abort || this.#closing) {
      this.#endSink(sink, 'lost', 'the connection closed before it was authorised');
      return;
    }
    this.#authorisation = undefined;
    this.#sink = sink;
    this.#context.counters.publishes += 1;
    this.#readAtMs = this.#context.monotonicMs();
    this.#bitrate.reset();
    this.#context.logger.info(
      { connectionId: this.connectionId, clientAddress: this.clientAddress },
      'ingest: publishing',
    );
    this.#guard(() => this.#session.startPublish());
    if (!this.#done) this.#socket.resume();
  }

  #notAccepted(error: unknown, abort: AbortController): void {
    if (this.#authorisation !== abort || this.#closing) return;
    this.#authorisation = undefined;
    if (error instanceof PublishRefused) {
      this.#reject('denied', error.code, error.message);
      return;
    }
    this.#context.logger.error(
      { connectionId: this.connectionId, error: error instanceof Error ? error.message : 'not an Error' },
      'ingest: the decision about a publisher failed',
    );
    this.#reject('accept-failed', 'NetStream.Publish.Rejected', 'The server cannot decide now. Try again.');
  }

  #media(tag: MediaTag): void {
    try {
      this.#sink?.media(tag);
    } catch (error) {
      this.#sinkFailed(error);
      this.#finish('refused', 'the stream failed');
    }
  }

  #goodbye(): void {
    this.#context.counters.goodbyes += 1;
    this.#waitingSinceMs = this.#context.monotonicMs();
    this.#waitingSinceBytes = this.#bytesReceived;
    this.#end('goodbye', 'the publisher said goodbye');
  }

  /** The session has told the peer already. */
  #refused(reason: RefusalReason, code: string): void {
    this.#count(reason);
    this.#context.logger.info(
      { connectionId: this.connectionId, clientAddress: this.clientAddress, code },
      'ingest: refused',
    );
    this.#linger();
  }

  #reject(reason: RefusalReason, code: string, description: string): void {
    if (this.#closing) return;
    this.#guard(() => this.#session.refuse(code, description));
    this.#refused(reason, code);
    this.#end('refused', `${code}: ${description}`);
  }

  #tooSlow(reason: 'slow-handshake' | 'no-publish'): void {
    this.#count(reason);
    this.#finish('refused', reason);
  }

  #count(reason: RefusalReason): void {
    this.#context.counters.refused[reason] += 1;
  }

  /**
   * Sends what was written, then waits for the peer to close: a socket that is closed with unread input is reset, and
   * the peer would lose the reason.
   */
  #linger(): void {
    if (this.#closing) return;
    this.#lingerUntilMs = this.#context.monotonicMs() + this.#context.timings.lingerMs;
    this.#abortAuthorisation();
    this.#socket.end();
    this.#socket.resume();
  }

  #finish(end: PublishEnd, reason: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#session.close();
    this.#abortAuthorisation();
    this.#socket.destroy();
    if (this.#sink !== undefined && end === 'lost') this.#context.counters.lost += 1;
    this.#end(end, reason);
  }

  #abortAuthorisation(): void {
    const authorisation = this.#authorisation;
    this.#authorisation = undefined;
    authorisation?.abort(new Error('the connection is gone'));
  }

  #end(end: PublishEnd, reason: string): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    this.#context.logger.info({ connectionId: this.connectionId, end, reason }, 'ingest: ended');
    this.#endSink(sink, end, reason);
  }

  #endSink(sink: PublishSink, end: PublishEnd, reason: string): void {
    try {
      sink.ended(end, reason);
    } catch (error) {
      this.#sinkFailed(error);
    }
  }

  #sinkFailed(error: unknown): void {
    this.#context.counters.sinkErrors += 1;
    this.#context.logger.error(
      { connectionId: this.connectionId, stack: error instanceof Error ? error.stack : undefined },
      'ingest: a stream threw',
    );
  }
}
