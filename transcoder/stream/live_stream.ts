/**
 * One session of a stream on this transcoder: it takes publishers one after the other, keeps one playlist going across
 * them, holds the picture while none is there, and ends when the window has passed.
 */
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { ClaimReply, PlaybackPolicy, StreamReport, StreamState } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';
import type { PublisherConnection, PublishEnd, PublishSink } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import type { StreamView } from '../serve/stream_view.ts';
import { EncoderLane } from './encoder_lane.ts';
import { HoldPacer } from './hold_pacer.ts';
import type { LiveStreamOptions } from './live_stream_options.ts';
import { LoadWatch } from './load_watch.ts';
import { PublisherFeed } from './publisher_feed.ts';
import { RestartBudget } from './restart_budget.ts';
import type { Publication, SessionEnd } from './session_companion.ts';
import { SessionPolicy } from './session_policy.ts';
import { SlownessReport } from './slowness_report.ts';
import { streamStatus } from './stream_status.ts';
import { ALIVE_MS, HAND_OVER_MS, NO_MEDIA_MS, QUIET_MS } from './stream_settings.ts';

interface Publisher {
  readonly connection: PublisherConnection;
  readonly feed: PublisherFeed;
  readonly lane: EncoderLane;
}

/** A publisher that was quiet for this long may be about to come back, ms. */
const RETURN_MS = 1000;
const GOING_AWAY = 'This server is going away: connect again.';

export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #logger: Logger;
  readonly #pacer: HoldPacer;
  readonly #budget: RestartBudget;
  readonly #load: LoadWatch;
  readonly #slowness: SlownessReport;
  #publisher: Publisher | undefined;
  /** The lane whose picture is held while the publisher is away. */
  #lane: EncoderLane | undefined;
  #epoch: Epoch;
  #state: StreamState = 'live';
  /** Of the newest publisher, but for what the session has promised. */
  #grant: PublishGrant;
  #playback: PlaybackPolicy;
  /** IP address of the newest publisher. */
  #clientAddress = '';
  /** Handed over to another server: nothing is published here under this number or above it. */
  #endsBeforeMsn: number | undefined;
  #cancelWindow: (() => void) | undefined;
  /** Counts publishers' comings and goings: the end that one of them began is none once another one was there. */
  #turn = 0;
  /** Lanes of publishers that have gone, while their last media is on its way. */
  readonly #flushing = new Map<EncoderLane, Promise<void>>();
  readonly #settled = Promise.withResolvers<void>();
  readonly #policy: SessionPolicy;

  /** @param epoch the one that the session's first claim gave */
  constructor(options: LiveStreamOptions, epoch: Epoch) {
    this.#options = options;
    this.#epoch = epoch;
    this.#grant = options.grant;
    this.#playback = options.grant.playback ?? options.settings.playback;
    this.#logger = options.logger;
    this.#pacer = new HoldPacer(options.settings.partSeconds, options.clock.monotonicMs());
    this.#budget = new RestartBudget(options.clock.monotonicMs());
    this.#load = new LoadWatch(options);
    this.#policy = new SessionPolicy(options);
    this.#slowness = new SlownessReport(options);
  }

  get streamId(): StreamId {
    return this.#options.streamId;
  }

  get sessionId(): SessionId {
    return this.#options.sessionId;
  }

  get state(): StreamState {
    return this.#state;
  }

  get epoch(): Epoch {
    return this.#epoch;
  }

  /** Viewers have seen something of it, or may have elsewhere. */
  get hasMedia(): boolean {
    return this.#options.window.shape !== undefined;
  }

  get view(): Omit<StreamView, 'status' | 'streamId'> {
    return this.#options.window.view;
  }

  /** Its encoder cannot keep up with its publisher. */
  get isStrained(): boolean {
    return this.#load.isStrained;
  }

  /** Its publisher is away, or silent, and this was its address. */
  waitsFor(clientAddress: string): boolean {
    return clientAddress === this.#clientAddress && this.mediaAgeMs > RETURN_MS;
  }

  /** A publisher is there that does not make way for another one. */
  get hasPublisher(): boolean {
    return this.#publisher !== undefined && this.#publisher.connection.yields !== true;
  }

  /** ms since media came from a publisher; infinite without one. */
  get mediaAgeMs(): number {
    return this.#publisher?.feed.mediaAgeMs ?? Number.POSITIVE_INFINITY;
  }

  /** EXT-X-TARGETDURATION of the session, whole seconds. */
  get targetDuration(): number {
    return this.#policy.targetDuration;
  }

  /**
   * Takes a publisher; one that is still there is closed first.
   * @param claim that was made for it
   */
  attach(
    connection: PublisherConnection,
    { epoch, playback }: Pick<Extract<ClaimReply, { outcome: 'granted' }>, 'epoch' | 'playback'>,
    publication: Publication,
  ): PublishSink {
    this.#publisher?.connection.close();
    void this.#detach();
    this.#cancelWindow?.();
    this.#cancelWindow = undefined;
    this.#turn += 1;
    this.#endsBeforeMsn = undefined;
    this.#clientAddress = connection.clientAddress;
    this.#playback = playback ?? this.#playback;
    // What viewers and recordings were promised stays; the rest is as its operator says now.
    const { renditions, record } = this.#options.grant;
    this.#grant = { ...publication.grant, ...(renditions && { renditions }), ...(record && { record }) };
    // A claim for a restart may have overtaken the one for this publisher.
    const isNewest = epoch >= this.#epoch;
    this.epochClaimed(epoch);
    this.#state = 'live';
    this.#options.window.setInterrupted(false);
    const publisher = this.#makePublisher(connection, isNewest ? epoch : undefined);
    this.#publisher = publisher;
    const { companions } = this.#options;
    companions.tell('publisherArrived', publication);
    const { maxBitrateKbps } = this.#grant;
    return {
      ...(maxBitrateKbps === undefined ? {} : { maxBitrate: maxBitrateKbps * 1000 }),
      media: (tag) => {
        this.#guarded(publisher, () => publisher.feed.media(tag));
        if (this.#publisher === publisher) companions.tell('media', tag);
      },
      ended: (end, reason) => this.#publisherEnded(publisher, end, reason),
    };
  }

  /** The registry gave this stream a new epoch: what is reported from now on. Answers may overtake each other. */
  epochClaimed(epoch: Epoch): void {
    if (epoch > this.#epoch) this.#epoch = epoch;
  }

  /** Called a few times a second. */
  tick(): void {
    if (this.#state === 'ended') return;
    const now = this.#options.clock.monotonicMs();
    const publisher = this.#publisher;
    if (publisher !== undefined) {
      this.#guarded(publisher, () => this.#supervise(publisher, now));
    }
    this.#hold(now);
  }

  /** Resolves once the session has ended and what runs beside it has nothing left to do. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /**
   * Ends the session here and now, whatever its window says.
   * @param how `moved` when it goes on at another server
   */
  async end(reason: string, how: SessionEnd = 'ended'): Promise<void> {
    if (this.#state === 'ended') return;
    this.#cancelWindow?.();
    const publisher = this.#publisher;
    const flushed = this.#detach();
    publisher?.connection.reject('NetStream.Publish.Rejected', reason);
    await flushed;
    this.#finish(reason, how);
  }

  /**
   * Sends the publisher to another server, at the end of a segment. The picture is held here until this server hears
   * that another one has the stream, under numbers that the next one leaves free.
   * @param release tells the registry that the next claim is to be granted
   */
  async handOver(release: (report: StreamReport) => Promise<void>): Promise<void> {
    const { window, clock, settings } = this.#options;
    if (this.#state !== 'live' || this.#publisher === undefined) return;
    await window.segmentEnd(1500 * this.targetDuration);
    const publisher = this.#publisher;
    if (publisher === undefined || this.#endsBeforeMsn !== undefined) return;
    const report = this.report();
    this.#endsBeforeMsn = report.nextMsn + Math.ceil(HAND_OVER_MS.held / (settings.segmentSeconds * 1000)) + 1;
    await release({ ...report, nextMsn: this.#endsBeforeMsn });
    if (publisher.connection.requestReconnect?.(GOING_AWAY) === true) {
      // It comes to the next server before it leaves this one.
      await new Promise<void>((resolve) => clock.after(HAND_OVER_MS.reconnect, resolve));
    }
    if (this.#publisher === publisher) publisher.connection.reject('NetConnection.Connect.AppShutdown', GOING_AWAY);
  }

  /** What `end` waits for is given up: every FFmpeg is ended at once. */
  hurry(): void {
    for (const lane of this.#flushing.keys()) lane.kill();
  }

  report(): StreamReport {
    const { streamId, sessionId, startedAtMs, grant, settings, window } = this.#options;
    const { title } = this.#grant;
    return {
      streamId,
      sessionId,
      startedAtMs,
      epoch: this.#epoch,
      state: this.#state,
      ...window.carryOn(),
      playback: this.#playback,
      record: grant.record ?? settings.record,
      ...(title === undefined ? {} : { title }),
      mediaAgeMs: Math.min(this.mediaAgeMs, Number.MAX_SAFE_INTEGER),
    };
  }

  status(): StreamStatus {
    const { streamId, sessionId, startedAtMs, window } = this.#options;
    const isQuiet = this.#publisher !== undefined && this.mediaAgeMs > ALIVE_MS;
    return streamStatus({
      streamId,
      sessionId,
      startedAtMs,
      // One that has moved is live elsewhere, where its viewers are about to ask.
      state: window.moved || (isQuiet && this.#state === 'live') ? 'interrupted' : this.#state,
      title: this.#grant.title,
      shape: window.shape,
    });
  }

  #makePublisher(connection: PublisherConnection, epoch: Epoch | undefined): Publisher {
    const { clock, grant, openRun, claimEpoch } = this.#options;
    const feed = new PublisherFeed({ clock, logger: this.#logger, onSlow: (share) => this.#slowness.tell(share) });
    let firstEpoch = epoch;
    const lane = new EncoderLane({
      clock,
      logger: this.#logger,
      openRun,
      budget: this.#budget,
      claimEpoch: async () => {
        const next = firstEpoch ?? (await claimEpoch());
        firstEpoch = undefined;
        this.epochClaimed(next);
        return next;
      },
      describe: () => feed.tracker.describe(),
      plan: (source) => {
        const plan = this.#policy.plan(feed, source, grant.renditions);
        feed.tracker.epochOpened();
        return this.#load.fit(plan);
      },
      headers: () => feed.tracker.headers(),
      backlog: feed.backlog,
      onLive: (run) => {
        this.#lane = lane;
        this.#logger.info({ epoch: run.epoch }, 'media is out');
      },
      onRecovered: (reason, failures) => this.#options.notify('encoder.restarted', { reason, failures }),
      onGiveUp: (reason) => {
        connection.reject('NetStream.Publish.Rejected', reason);
        void this.end(reason);
      },
    });
    feed.connect(lane);
    return { connection, feed, lane };
  }

  /** An error inside one stream ends that stream alone. */
  #guarded(publisher: Publisher, action: () => void): void {
    if (this.#publisher !== publisher) return;
    try {
      action();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ err: error }, 'the stream failed');
      publisher.connection.reject('NetStream.Publish.Rejected', reason);
      this.#publisherEnded(publisher, 'refused', reason);
    }
  }

  #supervise(publisher: Publisher, now: number): void {
    const { feed, lane } = publisher;
    lane.supervise(now);
    if (feed.quietMs > QUIET_MS) lane.pause('the publisher fell silent');
    if (feed.mediaAgeMs > NO_MEDIA_MS) {
      const reason = `no audio and no video arrived for ${NO_MEDIA_MS / 1000} s`;
      publisher.connection.reject('NetStream.Publish.Rejected', reason);
      return;
    }
    const run = lane.run;
    if (run === undefined) return;
    const replan = this.#options.window.shape === undefined ? undefined : this.#load.look(run, now);
    const reason = replan ?? this.#policy.refuted(feed, run);
    if (reason !== undefined) lane.replaceNow(reason);
  }

  #hold(now: number): void {
    const lane = this.#publisher?.lane.silent === false ? undefined : this.#lane;
    const { window, settings } = this.#options;
    if (this.#endsBeforeMsn !== undefined && window.carryOn().nextMsn >= this.#endsBeforeMsn) return;
    const due = this.#pacer.due(now, window.version, lane?.lastRun !== undefined);
    const seconds = Math.min(settings.partSeconds, window.partTarget ?? settings.partSeconds);
    for (let count = 0; count < due; count += 1) {
      if (lane?.lastRun?.hold(seconds) !== true) return;
      this.#pacer.held(window.version, seconds);
    }
  }

  #publisherEnded(publisher: Publisher, end: PublishEnd, reason: string): void {
    if (this.#publisher !== publisher) return;
    this.#logger.info({ end, reason }, 'the publisher is gone');
    const { settings, window, clock } = this.#options;
    const isOver = end === 'goodbye' && this.#endsBeforeMsn === undefined;
    const windowMs = isOver ? settings.goodbyeWindowMs : settings.reconnectWindowMs;
    const flushed = this.#detach();
    this.#turn += 1;
    const turn = this.#turn;
    this.#state = 'interrupted';
    window.setInterrupted(true);
    if (this.#endsBeforeMsn === undefined) this.#options.onInterrupted(this, windowMs, reason);
    const finish = async () => {
      await flushed;
      if (this.#turn === turn) this.#finish(end === 'goodbye' ? 'the publisher said goodbye' : reason);
    };
    this.#cancelWindow = clock.after(window.shape === undefined ? 0 : windowMs, () => void finish());
  }

  /** Lets the publisher go. Resolves when all that ever came from publishers is in the window, and their FFmpegs gone. */
  async #detach(): Promise<void> {
    const publisher = this.#publisher;
    if (publisher !== undefined) {
      const { lane, feed } = publisher;
      this.#publisher = undefined;
      this.#options.companions.tell('publisherLeft');
      this.#policy.remember(feed);
      this.#flushing.set(
        lane,
        lane.stop().finally(() => this.#flushing.delete(lane)),
      );
    }
    await Promise.all(this.#flushing.values());
  }

  #finish(reason: string, how: SessionEnd = 'ended'): void {
    if (this.#state === 'ended' || this.#publisher !== undefined) return;
    this.#state = 'ended';
    this.#options.window.markEnded(how);
    this.#logger.info({ reason, how }, 'the session has ended');
    this.#options.onEnded(this, reason, how);
    void this.#options.companions.ended(how).then(this.#settled.resolve);
  }
}
