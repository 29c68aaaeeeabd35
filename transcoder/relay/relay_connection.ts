/**
 * One connection to one relay target, from the look-up of its name to its end: a socket under the publishing dialogue,
 * with the deadlines that a hanging target runs into.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { RtmpProtocolError } from '../ingest/rtmp_protocol_error.ts';
import { failureOf, guardedConnect } from './guarded_connect.ts';
import type { PendingConnection, ResolveName } from './guarded_connect.ts';
import { PublishDialogue } from './publish_dialogue.ts';
import type { RelayEndpoint } from './relay_endpoint.ts';
import { RelayFailure } from './relay_error.ts';

export interface RelayConnectionHandlers {
  /** The target waits for media, on this message stream. */
  live(messageStreamId: number): void;
  /** Called at most once; not after `finish` or `destroy`. */
  failed(failure: RelayFailure): void;
}

/** How targets are reached. */
export interface RelayNetwork {
  readonly allowPrivate: boolean;
  readonly resolve?: ResolveName | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | undefined;
}

export interface RelayConnectionOptions {
  readonly endpoint: RelayEndpoint;
  readonly network: RelayNetwork;
  readonly fourCcs: readonly string[];
  readonly clock: Clock;
  readonly handlers: RelayConnectionHandlers;
}

/** From the look-up to Publish.Start, ms. */
export const CONNECT_MS = 10_000;
/** A target that takes nothing of what waits for it for this long hangs, ms. */
export const STALL_MS = 15_000;
const STALL_CHECK_MS = 1000;
/**
 * A target that asks and asks without reading the answers is left when this much waits for it: more than the media that
 * may (`MAX_QUEUED_BYTES`, and a whole GOP at the start).
 */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** How long a goodbye may take to leave, ms. */
const GOODBYE_MS = 2000;

export class RelayConnection {
  readonly #options: RelayConnectionOptions;
  readonly #dialogue: PublishDialogue;
  readonly #pending: PendingConnection;
  #socket: Socket | undefined;
  #stops: (() => void)[];
  #closed = false;
  #flushed = 0;
  #flushedAtMs = 0;

  constructor(options: RelayConnectionOptions) {
    this.#options = options;
    const { endpoint, network, clock, fourCcs } = options;
    this.#dialogue = new PublishDialogue({
      endpoint,
      random: randomBytes(1528),
      fourCcs,
      handlers: {
        output: (bytes) => this.#reply(bytes),
        live: (messageStreamId) => this.#live(messageStreamId),
      },
    });
    this.#stops = [
      clock.after(CONNECT_MS, () => {
        if (!this.#dialogue.isLive) this.#fail(new RelayFailure('timeout', 'the target did not answer in time'));
      }),
    ];
    const { host, port, secure } = endpoint;
    this.#pending = guardedConnect(
      { host, port, secure, ...network },
      { connected: (socket) => this.#connected(socket), failed: (failure) => this.#fail(failure) },
    );
  }

  /** Bytes that wait in this process. */
  get queuedBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** Writes bytes of whole messages. The buffer is kept until it was sent. */
  send(bytes: Buffer): void {
    if (!this.#closed && this.#socket?.writable === true) this.#socket.write(bytes);
  }

  /** Writes the dialogue's own messages, as many as the target makes it say. */
  #reply(bytes: Buffer): void {
    if (this.queuedBytes <= MAX_WAITING_BYTES) this.send(bytes);
    else this.#fail(new RelayFailure('protocol', 'the target asks without reading the answers'));
  }

  /** Says goodbye and closes. Resolves when the connection is gone, soon in any case. */
  async finish(): Promise<void> {
    const socket = this.#socket;
    if (this.#closed || socket === undefined) {
      this.destroy();
      return;
    }
    this.#dialogue.finish();
    this.#end();
    const gone = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    const cancel = this.#options.clock.after(GOODBYE_MS, () => socket.destroy());
    // Until the target closes too: a socket that is closed with unread input is reset, and the goodbye may be lost.
    socket.end();
    await gone;
    cancel();
  }

  destroy(): void {
    this.#end();
    this.#pending.cancel();
    this.#socket?.destroy();
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#read(data));
    socket.on('error', (error) => this.#fail(failureOf(error, 'closed')));
    socket.on('close', () => this.#fail(new RelayFailure('closed', 'the target closed the connection')));
    // A FIN is the end: a target that reads on without ever answering is of no use.
    socket.on('end', () => this.#fail(new RelayFailure('closed', 'the target closed the connection')));
    this.#dialogue.start();
  }

  #live(messageStreamId: number): void {
    const { clock, handlers } = this.#options;
    this.#flushedAtMs = clock.monotonicMs();
    this.#stops.push(clock.every(STALL_CHECK_MS, () => this.#checkProgress()));
    handlers.live(messageStreamId);
  }

  #checkProgress(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const now = this.#options.clock.monotonicMs();
    const flushed = socket.bytesWritten - socket.writableLength;
    if (socket.writableLength === 0 || flushed !== this.#flushed) {
      this.#flushed = flushed;
      this.#flushedAtMs = now;
    } else if (now - this.#flushedAtMs >= STALL_MS) {
      this.#fail(new RelayFailure('stalled', `the target has taken nothing for ${STALL_MS / 1000} s`));
    }
  }

  /** Nothing that a target sends throws further than this. */
  #read(data: Buffer): void {
    if (this.#closed) return;
    try {
      this.#dialogue.feed(data);
    } catch (error) {
      if (error instanceof RelayFailure) this.#fail(error);
      else if (error instanceof RtmpProtocolError) {
        this.#fail(new RelayFailure('protocol', `the target broke RTMP: ${error.message}`, { cause: error }));
      } else this.#fail(new RelayFailure('internal', 'the relay failed', { cause: error }));
    }
  }

  #fail(failure: RelayFailure): void {
    if (this.#closed) return;
    this.destroy();
    this.#options.handlers.failed(failure);
  }

  #end(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }
}
