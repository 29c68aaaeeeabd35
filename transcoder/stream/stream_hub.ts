/**
 * All streams of this transcoder: decides who may publish, hands publishers to their sessions, tells the registry what
 * is live, and finds streams for the media server.
 */
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { CarryOn, ClaimReply, HeartbeatReply, ServerAddress } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { PublisherConnection, PublishRequest, PublishSink } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import type { StreamDirectory, StreamView } from '../serve/stream_view.ts';
import { Channel } from './channel.ts';
import type { LiveStream } from './live_stream.ts';
import { ALIVE_MS } from './stream_settings.ts';
import type { Publication } from './session_companion.ts';
import type { StreamSettings } from './stream_settings.ts';

/** How often streams are looked after, ms. */
const TICK_MS = 100;
/** The registry's heartbeat, ms. */
export const HEARTBEAT_MS = 3000;
/** How long a publisher waits for the registry in all, ms. */
const CLAIM_PATIENCE_MS = 20_000;
/** How long the end of the program waits for FFmpegs to flush, ms. */
const CLOSE_PATIENCE_MS = 2000;
/** How long it waits for the registry to hear of it, ms. */
const RELEASE_PATIENCE_MS = 500;
/** How long it waits for recordings to be stored, ms. */
const FLUSH_PATIENCE_MS = 30_000;

type Granted = Extract<ClaimReply, { outcome: 'granted' }>;

export interface NewSession {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly carryOn: CarryOn;
  readonly grant: PublishGrant;
  readonly epoch: Granted['epoch'];
  readonly claimEpoch: () => Promise<Granted['epoch']>;
  readonly onInterrupted: (stream: LiveStream, windowMs: number) => void;
  readonly onEnded: (stream: LiveStream, reason: string) => void;
}

export interface StreamHubOptions {
  readonly serverId: string;
  /** Asked at each call: the port is known only after listening. */
  readonly address: () => ServerAddress;
  readonly control: Control;
  readonly settings: StreamSettings;
  readonly maxStreams: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A new claim id: 16 random characters or more. */
  readonly makeClaimId: () => string;
  readonly openSession: (session: NewSession) => LiveStream;
}

export class StreamHub implements StreamDirectory {
  readonly #options: StreamHubOptions;
  readonly #channels = new Map<StreamId, Channel>();
  /** One publisher at a time is let in for a stream; the next waits for its turn. */
  readonly #turns = new Map<StreamId, Promise<unknown>>();
  readonly #stops: (() => void)[];
  /** Claims under way, by stream: what the registry says of an older epoch meanwhile is our own doing. */
  readonly #claims = new Map<StreamId, number>();
  /** Publishers of new streams that are being let in: they count against the limit. */
  #beginning = 0;
  readonly #releases = new Set<Promise<void>>();
  /** Sessions that have ended and whose recording is still on its way. */
  readonly #settling = new Set<Promise<void>>();
  /** Begins at the clock, so that it rises across restarts under the same server id. */
  #heartbeatSeq: number;
  #heartbeatUnderWay = false;

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#heartbeatSeq = Math.floor(options.clock.wallMs());
    this.#stops = [
      options.clock.every(TICK_MS, () => this.#tick()),
      options.clock.every(HEARTBEAT_MS, () => void this.#heartbeat()),
    ];
  }

  find(streamId: StreamId): StreamView | undefined {
    return this.#channels.get(streamId);
  }

  /** Sessions that have not ended. */
  get liveStreams(): readonly LiveStream[] {
    return [...this.#channels.values()]
      .flatMap((channel) => channel.sessions)
      .filter((stream) => stream.state !== 'ended');
  }

  /** Decides about a publisher. @throws PublishRefused */
  readonly accept = async (
    request: PublishRequest,
    connection: PublisherConnection,
    signal: AbortSignal,
  ): Promise<PublishSink> => {
    const reply = await this.#authorize(request, signal);
    if (!reply.allowed) {
      this.#options.logger.warn(
        { connection: connection.connectionId, code: reply.code, reason: reply.reason },
        'publisher refused',
      );
      throw new PublishRefused(
        'NetStream.Publish.BadName',
        reply.code === 'denied' ? 'this stream key may not publish' : 'the stream key could not be checked, try again',
      );
    }
    const { streamId } = reply.grant;
    const turn = (this.#turns.get(streamId) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#admit({ grant: reply.grant, query: request.query }, connection, signal));
    this.#turns.set(streamId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(streamId) === turn) this.#turns.delete(streamId);
    }
  };

  /** Ends all sessions and stops. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    const streams = this.liveStreams;
    const cancel = this.#options.clock.after(CLOSE_PATIENCE_MS, () => {
      for (const stream of streams) stream.hurry();
    });
    await Promise.all(streams.map((stream) => stream.end('the server is stopping')));
    cancel();
    const patience = new Promise<void>((resolve) => this.#options.clock.after(RELEASE_PATIENCE_MS, resolve));
    await Promise.race([Promise.all(this.#releases), patience]);
    const flushed = new Promise<void>((resolve) => this.#options.clock.after(FLUSH_PATIENCE_MS, resolve));
    if (this.#settling.size > 0) await Promise.race([Promise.all(this.#settling), flushed]);
  }

  async #authorize(request: PublishRequest, signal: AbortSignal) {
    try {
      return await this.#options.control.authorizePublish(
        {
          streamKey: request.streamKey,
          app: request.app,
          query: { ...request.query },
          clientAddress: request.clientAddress,
          transcoderId: this.#options.serverId,
        },
        signal,
      );
    } catch (error) {
      this.#options.logger.error(
        { connection: request.connectionId, err: error },
        'the stream key could not be checked',
      );
      return { allowed: false, code: 'unavailable', reason: 'the control plane could not be reached' } as const;
    }
  }

  async #admit(publication: Publication, connection: PublisherConnection, signal: AbortSignal): Promise<PublishSink> {
    signal.throwIfAborted();
    const { grant } = publication;
    const { streamId } = grant;
    const { logger, maxStreams } = this.#options;
    const current = this.#channels.get(streamId)?.current;
    if (current?.hasPublisher === true && current.mediaAgeMs < ALIVE_MS) {
      logger.warn({ streamId, connection: connection.connectionId }, 'second publisher refused: the stream is live');
      throw new PublishRefused(
        'NetStream.Publish.BadName',
        `stream ${streamId} is already live from another connection`,
      );
    }
    const isNew = current?.state !== 'live' && current?.state !== 'interrupted';
    if (isNew && this.liveStreams.length + this.#beginning >= maxStreams) {
      logger.warn({ streamId, maxStreams }, 'publisher refused: this server is full');
      throw new PublishRefused('NetStream.Publish.Denied', `this server is full: it serves ${maxStreams} streams`);
    }
    this.#beginning += isNew ? 1 : 0;
    try {
      const claim = await this.#claim(grant, signal);
      signal.throwIfAborted();
      return this.#attach(publication, claim, connection);
    } finally {
      this.#beginning -= isNew ? 1 : 0;
    }
  }

  #attach(publication: Publication, claim: Granted, connection: PublisherConnection): PublishSink {
    const { grant } = publication;
    const { streamId } = grant;
    const stream = this.#session(grant, claim);
    this.#options.logger.info(
      {
        streamId,
        sessionId: claim.sessionId,
        epoch: claim.epoch,
        resumed: claim.resumed,
        connection: connection.connectionId,
      },
      'publisher accepted',
    );
    return stream.attach(connection, claim.epoch, publication);
  }

  #session(grant: PublishGrant, claim: Granted): LiveStream {
    const { streamId } = grant;
    const channel = this.#channels.get(streamId) ?? new Channel(streamId);
    this.#channels.set(streamId, channel);
    const current = channel.current;
    if (current !== undefined && current.state !== 'ended' && current.sessionId === claim.sessionId) return current;
    if (current !== undefined) void current.end('the next session has begun');
    const stream = this.#options.openSession({
      streamId,
      sessionId: claim.sessionId,
      startedAtMs: claim.startedAtMs,
      carryOn: claim.carryOn,
      grant,
      epoch: claim.epoch,
      claimEpoch: async () => (await this.#claim(grant)).epoch,
      onInterrupted: (interrupted, windowMs) => this.#release(interrupted, 'interrupted', windowMs),
      onEnded: (ended) => {
        this.#release(ended, 'ended');
        this.#settling.add(ended.settled);
        void ended.settled.then(() => this.#settling.delete(ended.settled));
        // What nobody ever saw must not stand before the session that ended before it.
        this.#options.clock.after(ended.hasMedia ? this.#options.settings.graceMs : 0, () => {
          channel.forget(ended);
          if (channel.empty && this.#channels.get(streamId) === channel) this.#channels.delete(streamId);
        });
      },
    });
    channel.begin(stream);
    return stream;
  }

  async #claim(grant: PublishGrant, signal?: AbortSignal): Promise<Granted> {
    const { streamId } = grant;
    this.#claims.set(streamId, (this.#claims.get(streamId) ?? 0) + 1);
    try {
      const claim = await this.#askForClaim(grant, signal);
      // Also when its publisher has gone meanwhile: the registry has given the session this epoch.
      const current = this.#channels.get(streamId)?.current;
      if (current?.sessionId === claim.sessionId) current.epochClaimed(claim.epoch);
      return claim;
    } finally {
      const left = (this.#claims.get(streamId) ?? 1) - 1;
      if (left > 0) this.#claims.set(streamId, left);
      else this.#claims.delete(streamId);
    }
  }

  async #askForClaim(grant: PublishGrant, signal?: AbortSignal): Promise<Granted> {
    const { control, clock, serverId, address, settings, makeClaimId } = this.#options;
    const claimId = makeClaimId();
    const deadline = clock.monotonicMs() + CLAIM_PATIENCE_MS;
    for (;;) {
      const reply = await control.claim({
        streamId: grant.streamId,
        serverId,
        claimId,
        address: address(),
        playback: grant.playback ?? settings.playback,
        record: grant.record ?? settings.record,
        ...(grant.title === undefined ? {} : { title: grant.title }),
      });
      if (reply.outcome === 'granted') return reply;
      const waitMs = reply.outcome === 'wait' ? reply.retryAfterMs : 500;
      if (clock.monotonicMs() + waitMs > deadline) {
        throw new PublishRefused('NetStream.Publish.BadName', `stream ${grant.streamId} is live on another server`);
      }
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      signal?.throwIfAborted();
    }
  }

  #release(stream: LiveStream, reason: 'ended' | 'interrupted', windowMs?: number): void {
    const { control, logger } = this.#options;
    const request = {
      streamId: stream.streamId,
      epoch: stream.epoch,
      reason,
      report: stream.report(),
      ...(windowMs === undefined ? {} : { windowMs }),
    };
    const release: Promise<void> = control
      .release(request)
      .then(
        () => undefined,
        (error: unknown) => {
          logger.error({ streamId: stream.streamId, err: error }, 'the registry was not told; its lease will run out');
        },
      )
      .finally(() => this.#releases.delete(release));
    this.#releases.add(release);
  }

  #tick(): void {
    for (const { current } of this.#channels.values()) {
      if (current === undefined) continue;
      try {
        current.tick();
      } catch (error) {
        // What one stream does wrong ends that stream alone.
        this.#options.logger.error({ streamId: current.streamId, err: error }, 'a stream failed');
        void current.end('the stream failed');
      }
    }
  }

  async #heartbeat(): Promise<void> {
    if (this.#heartbeatUnderWay) return;
    this.#heartbeatUnderWay = true;
    this.#heartbeatSeq += 1;
    const streams = this.liveStreams;
    try {
      const reply = await this.#options.control.heartbeat({
        serverId: this.#options.serverId,
        seq: this.#heartbeatSeq,
        address: this.#options.address(),
        capacity: { streams: streams.length, maxStreams: this.#options.maxStreams, ready: true, draining: false },
        streams: streams.map((stream) => stream.report()),
      });
      this.#giveUpLost(reply);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'heartbeat failed; the streams go on');
    } finally {
      this.#heartbeatUnderWay = false;
    }
  }

  #giveUpLost(reply: HeartbeatReply): void {
    for (const lost of reply.lost) {
      const stream = this.liveStreams.find(
        (candidate) => candidate.streamId === lost.streamId && candidate.epoch === lost.epoch,
      );
      if (stream === undefined) continue;
      if (lost.reason === 'superseded' && this.#claims.has(lost.streamId)) continue;
      this.#options.logger.warn({ streamId: lost.streamId, epoch: lost.epoch, reason: lost.reason }, 'stream lost');
      void stream.end(`the registry says: ${lost.reason}`);
    }
  }
}
