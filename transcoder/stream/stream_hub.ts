/**
 * All streams of this transcoder: decides who may publish, hands publishers to their sessions, tells the registry what
 * is live, and finds streams for the media server.
 */
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { CarryOn, HeartbeatReply, ServerAddress } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { PublisherConnection, PublishRequest, PublishSink } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import type { StreamDirectory, StreamView } from '../serve/stream_view.ts';
import { Channel } from './channel.ts';
import { Heartbeats } from './heartbeats.ts';
import type { LiveStream } from './live_stream.ts';
import { PeerList } from './peer_list.ts';
import type { Publication, SessionEnd } from './session_companion.ts';
import { PublisherAuthorization } from './publisher_authorization.ts';
import { StreamClaims } from './stream_claims.ts';
import type { Granted } from './stream_claims.ts';
import type { NotifyStream } from './stream_notifier.ts';
import { createStreamNotifier } from './stream_notifier.ts';
import { atMost, StreamReleases } from './stream_releases.ts';
import { ALIVE_MS } from './stream_settings.ts';
import type { StreamSettings } from './stream_settings.ts';

/** How often streams are looked after, ms. */
const TICK_MS = 100;
/** How long the end of the program waits for FFmpegs to flush, ms. */
const CLOSE_PATIENCE_MS = 2000;
/** How long it waits for the registry to hear of it, ms. */
const RELEASE_PATIENCE_MS = 500;
/** How long it waits for recordings to be stored, ms. */
const FLUSH_PATIENCE_MS = 30_000;
/** How long a hand-over waits for the registry to hear of it, ms. */
const MOVE_PATIENCE_MS = 1500;

export interface NewSession {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly carryOn: CarryOn;
  readonly grant: PublishGrant;
  readonly epoch: Granted['epoch'];
  readonly claimEpoch: () => Promise<Granted['epoch']>;
  /** What happens to the stream and somebody should know. */
  readonly notify: NotifyStream;
  /** Its shape is known: what the registry makes its first event of. */
  readonly onShape: () => void;
  readonly onInterrupted: (stream: LiveStream, windowMs: number, reason: string) => void;
  readonly onEnded: (stream: LiveStream, reason: string, how: SessionEnd) => void;
}

export interface StreamHubOptions {
  readonly serverId: string;
  /** Asked at each call: the port is known only after listening. */
  readonly address: () => ServerAddress;
  /** `host:port` where peers pass publishers on to; undefined: they do not. */
  readonly ingest?: () => string | undefined;
  readonly control: Control;
  readonly settings: StreamSettings;
  readonly maxStreams: number;
  /** Why this machine can take no more streams beside those that run, in one line; undefined: it can. */
  readonly overload?: (streams: readonly LiveStream[]) => string | undefined;
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
  readonly #claims: StreamClaims;
  readonly #heartbeats: Heartbeats;
  readonly #peers = new PeerList();
  readonly #authorization: PublisherAuthorization;
  /** Publishers of new streams that are being let in: they count against the limit. */
  #beginning = 0;
  readonly #releases: StreamReleases;
  /** Sessions that have ended and whose recording is still on its way. */
  readonly #settling = new Set<Promise<void>>();
  /** `asked`: a person had it drain; shows may run out. `going`: the program is about to end. */
  #draining: 'no' | 'asked' | 'going' = 'no';

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#claims = new StreamClaims(options);
    this.#releases = new StreamReleases(options);
    this.#authorization = new PublisherAuthorization(options);
    this.#heartbeats = new Heartbeats({
      ...options,
      compose: () => this.#composeHeartbeat(),
      onReply: (reply) => this.#heard(reply),
    });
    this.#stops = [options.clock.every(TICK_MS, () => this.#tick()), () => this.#heartbeats.stop()];
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

  /** Takes no new streams, and sends publishers to its peers. */
  get draining(): boolean {
    return this.#draining !== 'no';
  }

  /** Why no new stream is taken, in one line for a publisher; undefined: it is. */
  get full(): string | undefined {
    const { maxStreams, overload } = this.#options;
    if (this.draining) return 'this server is going away';
    const streams = this.liveStreams;
    if (streams.length + this.#beginning >= maxStreams) return `this server is full: it serves ${maxStreams} streams`;
    const reason = overload?.(streams);
    return reason === undefined ? undefined : `this server is full: ${reason}`;
  }

  /** Servers that take publishers off this one, by what the registry last said. */
  get readyPeers(): number {
    return this.#peers.size;
  }

  /**
   * Where a publisher that connects from this address is to be passed on to, best first; none: it stays here. A full
   * server keeps those who may be coming back to a stream that waits for its publisher here.
   */
  passOnTo(clientAddress: string): readonly string[] {
    if (this.full === undefined) return [];
    if (!this.draining && this.liveStreams.some((stream) => stream.waitsFor(clientAddress))) return [];
    return this.#peers.take();
  }

  /** Tells the registry now, not with the next heartbeat. */
  heartbeatSoon(): void {
    this.#heartbeats.soon();
  }

  /** Decides about a publisher. @throws PublishRefused */
  readonly accept = async (
    request: PublishRequest,
    connection: PublisherConnection,
    signal: AbortSignal,
  ): Promise<PublishSink> => {
    const grant = await this.#authorization.grant(request, signal);
    const { streamId } = grant;
    const turn = (this.#turns.get(streamId) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#admit({ grant, query: request.query }, connection, signal));
    this.#turns.set(streamId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(streamId) === turn) this.#turns.delete(streamId);
    }
  };

  /** New publishers go to peers from now on; shows run out. `false` takes it back. */
  drain(draining: boolean): void {
    if (this.#draining === 'going' || draining === this.draining) return;
    this.#draining = draining ? 'asked' : 'no';
    this.#options.logger.warn({ draining }, draining ? 'draining: new publishers go to peers' : 'draining no more');
    this.#heartbeats.soon();
  }

  /**
   * The program is about to end: hands the streams over to peers, one after the other. Resolves when each publisher has
   * been sent away; media is served on until `close`.
   * @param spreadMs over which the hand-overs are spread
   */
  async handOver(spreadMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    this.#draining = 'going';
    this.#heartbeats.soon();
    const streams = this.liveStreams;
    logger.warn({ streams: streams.length, peers: this.readyPeers }, 'going away: streams are handed over');
    const handOvers = streams.map(async (stream, index) => {
      await new Promise<void>((resolve) => clock.after((index * spreadMs) / streams.length, resolve));
      await stream.handOver((report) => this.#releases.tell(stream, { reason: 'moving', report }, MOVE_PATIENCE_MS));
    });
    await Promise.all(handOvers);
  }

  /** Nothing is here that anybody could ask for. */
  get empty(): boolean {
    return this.#channels.size === 0;
  }

  /**
   * Ends all sessions and stops.
   * @param how `moved`: they go on, or wait for their publishers, elsewhere
   */
  async close(how: SessionEnd = 'ended'): Promise<void> {
    for (const stop of this.#stops) stop();
    const streams = this.liveStreams;
    const cancel = this.#options.clock.after(CLOSE_PATIENCE_MS, () => {
      for (const stream of streams) stream.hurry();
    });
    await Promise.all(streams.map((stream) => stream.end('the server is stopping', how)));
    cancel();
    await this.#releases.settled(RELEASE_PATIENCE_MS);
    if (this.#settling.size > 0) await atMost(this.#options.clock, FLUSH_PATIENCE_MS, Promise.all(this.#settling));
  }

  async #admit(publication: Publication, connection: PublisherConnection, signal: AbortSignal): Promise<PublishSink> {
    signal.throwIfAborted();
    const { grant } = publication;
    const { streamId } = grant;
    const { logger } = this.#options;
    const current = this.#channels.get(streamId)?.current;
    if (current?.hasPublisher === true && current.mediaAgeMs < ALIVE_MS) {
      logger.warn({ streamId, connection: connection.connectionId }, 'second publisher refused: the stream is live');
      throw new PublishRefused(
        'NetStream.Publish.BadName',
        `stream ${streamId} is already live from another connection`,
      );
    }
    const isNew = current?.state !== 'live' && current?.state !== 'interrupted';
    const full = isNew ? this.full : undefined;
    if (full !== undefined) {
      logger.warn({ streamId, reason: full }, 'publisher refused: no room for another stream');
      throw new PublishRefused('NetStream.Publish.Denied', `${full}, and no other one is ready; try again`);
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
    this.#authorization.accepted(streamId);
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
    return stream.attach(connection, claim, publication);
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
      notify: createStreamNotifier(this.#options, () => stream),
      onShape: () => this.#heartbeats.soon(),
      onInterrupted: (interrupted, windowMs, reason) => {
        void this.#releases.tell(interrupted, { reason: 'interrupted', windowMs, detail: reason });
      },
      onEnded: (ended, reason, how) => {
        if (how === 'ended') void this.#releases.tell(ended, { reason: 'ended', detail: reason });
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
    const claim = await this.#claims.claim(grant, signal);
    // Also when its publisher has gone meanwhile: the registry has given the session this epoch.
    const current = this.#channels.get(grant.streamId)?.current;
    if (current?.sessionId === claim.sessionId) current.epochClaimed(claim.epoch);
    return claim;
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

  #composeHeartbeat() {
    const { address, ingest, maxStreams } = this.#options;
    const streams = this.liveStreams;
    const where = ingest?.();
    return {
      address: address(),
      ...(where === undefined ? {} : { ingest: where }),
      capacity: {
        streams: streams.length,
        maxStreams,
        ready: this.full === undefined,
        draining: this.draining,
      },
      streams: streams.map((stream) => stream.report()),
    };
  }

  #heard(reply: HeartbeatReply): void {
    this.#peers.update(reply.peers);
    this.drain(reply.drain);
    for (const lost of reply.lost) {
      const stream = this.liveStreams.find(
        (candidate) => candidate.streamId === lost.streamId && candidate.epoch === lost.epoch,
      );
      if (stream === undefined) continue;
      if (lost.reason === 'superseded' && this.#claims.isUnderWay(lost.streamId)) continue;
      this.#options.logger.warn({ streamId: lost.streamId, epoch: lost.epoch, reason: lost.reason }, 'stream lost');
      void (lost.reason === 'superseded'
        ? stream.end('another server has the stream', 'moved')
        : stream.end(LOST[lost.reason]));
    }
  }
}

/** What the publisher and the log are told. */
const LOST = {
  ended: 'the show was ended by its operator',
  revoked: 'the stream key was revoked',
} as const;
