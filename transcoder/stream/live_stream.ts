/**
 * One session of a stream on this transcoder: it takes publishers one after the other, keeps one playlist going across
 * them, holds the picture while none is there, and ends when the window has passed.
 */
import { isRenditionName } from '../../contracts/ids.ts';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { CarryOn, StreamReport, StreamState } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';
import type { Clock } from '../clock.ts';
import type { RenditionPlan, SourceDescription } from '../encode/encode_plan.ts';
import type { PublisherConnection, PublishEnd, PublishSink } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import type { StreamView } from '../serve/stream_view.ts';
import { EncoderLane } from './encoder_lane.ts';
import type { OpenEpochRun } from './epoch_run.ts';
import type { GopMemory } from './gop_memory.ts';
import { HoldPacer } from './hold_pacer.ts';
import { PublisherFeed } from './publisher_feed.ts';
import { RestartBudget } from './restart_budget.ts';
import { judgeSource, planEpoch } from './source_policy.ts';
import type { PolicyVerdict } from './source_policy.ts';
import type { Publication, SessionCompanions, SessionEnd } from './session_companion.ts';
import type { SessionWindow } from './session_window.ts';
import { QUIET_MS } from './stream_settings.ts';
import type { StreamSettings } from './stream_settings.ts';

export interface LiveStreamOptions {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly grant: PublishGrant;
  readonly settings: StreamSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly window: SessionWindow;
  readonly gopMemory: GopMemory;
  readonly openRun: OpenEpochRun;
  readonly companions: SessionCompanions;
  readonly claimEpoch: () => Promise<Epoch>;
  /** The publisher is away; `windowMs` is how long the session waits. */
  readonly onInterrupted: (stream: LiveStream, windowMs: number) => void;
  /** ENDLIST stands. */
  readonly onEnded: (stream: LiveStream, reason: string) => void;
}

interface Publisher {
  readonly connection: PublisherConnection;
  readonly feed: PublisherFeed;
  readonly lane: EncoderLane;
}

export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly #logger: Logger;
  readonly #pacer: HoldPacer;
  readonly #budget: RestartBudget;
  #publisher: Publisher | undefined;
  /** The lane whose picture is held while the publisher is away. */
  #lane: EncoderLane | undefined;
  #epoch: Epoch;
  #state: StreamState = 'live';
  #cancelWindow: (() => void) | undefined;
  /** Counts publishers' comings and goings: the end that one of them began is none once another one was there. */
  #turn = 0;
  /** Lanes of publishers that have gone, while their last media is on its way. */
  readonly #flushing = new Map<EncoderLane, Promise<void>>();
  readonly #settled = Promise.withResolvers<void>();
  #mustEncode = false;
  #targetDuration: number | undefined;

  /** @param epoch the one that the session's first claim gave */
  constructor(options: LiveStreamOptions, epoch: Epoch) {
    this.#options = options;
    this.#epoch = epoch;
    this.#logger = options.logger;
    this.#pacer = new HoldPacer(options.settings.partSeconds, options.clock.monotonicMs());
    this.#budget = new RestartBudget(options.clock.monotonicMs());
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
    return this.#targetDuration ?? Math.max(1, Math.round(this.#options.settings.segmentSeconds));
  }

  /**
   * Takes a publisher; one that is still there is closed first.
   * @param epoch from the claim that was made for it
   */
  attach(connection: PublisherConnection, epoch: Epoch, publication: Publication): PublishSink {
    this.#publisher?.connection.close();
    void this.#detach();
    this.#cancelWindow?.();
    this.#cancelWindow = undefined;
    this.#turn += 1;
    // A claim for a restart may have overtaken the one for this publisher.
    const isNewest = epoch >= this.#epoch;
    this.epochClaimed(epoch);
    this.#state = 'live';
    this.#options.window.setInterrupted(false);
    const publisher = this.#makePublisher(connection, isNewest ? epoch : undefined);
    this.#publisher = publisher;
    const { companions } = this.#options;
    companions.tell('publisherArrived', publication);
    const { maxBitrateKbps } = this.#options.grant;
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
    await this.#detach();
    publisher?.connection.close();
    this.#finish(reason, how);
  }

  /** What `end` waits for is given up: every FFmpeg is ended at once. */
  hurry(): void {
    for (const lane of this.#flushing.keys()) lane.kill();
  }

  report(): StreamReport {
    const { streamId, sessionId, startedAtMs, grant, settings, window } = this.#options;
    const carryOn: CarryOn = window.carryOn();
    return {
      streamId,
      sessionId,
      startedAtMs,
      epoch: this.#epoch,
      state: this.#state,
      ...carryOn,
      playback: grant.playback ?? settings.playback,
      record: grant.record ?? settings.record,
      ...(grant.title === undefined ? {} : { title: grant.title }),
      mediaAgeMs: Math.min(this.mediaAgeMs, Number.MAX_SAFE_INTEGER),
    };
  }

  status(): StreamStatus {
    const { streamId, sessionId, startedAtMs, grant, window } = this.#options;
    const shape = window.shape;
    return {
      streamId,
      sessionId,
      startedAt: new Date(startedAtMs).toISOString(),
      live: this.#state !== 'ended',
      state: shape === undefined && this.#state === 'live' ? 'starting' : this.#state,
      ...(grant.title === undefined ? {} : { title: grant.title }),
      renditions: shape?.renditions ?? [],
      recordings: [],
    };
  }

  #makePublisher(connection: PublisherConnection, epoch: Epoch | undefined): Publisher {
    const { clock, window, settings, grant, openRun, claimEpoch } = this.#options;
    const feed = new PublisherFeed({ clock, logger: this.#logger });
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
        const verdict = this.#judge(feed, source);
        this.#mustEncode ||= verdict.mustEncode;
        this.#targetDuration ??= verdict.targetDuration;
        feed.tracker.epochOpened();
        this.#logger.info({ policy: this.#mustEncode ? 'encode' : 'copy', reason: verdict.reason }, 'ladder planned');
        const only = grant.renditions?.filter(isRenditionName);
        return planEpoch({ source, settings, mustEncode: this.#mustEncode, only, promised: window.renditions });
      },
      headers: () => feed.tracker.headers(),
      backlog: feed.backlog,
      onLive: (run) => {
        this.#lane = lane;
        this.#logger.info({ epoch: run.epoch }, 'media is out');
      },
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
    const run = lane.run;
    if (run === undefined || this.#mustEncode) return;
    const source = feed.tracker.describe();
    if (source === undefined || !run.plan.followsSource) return;
    const verdict = this.#judge(
      feed,
      source,
      run.plan.renditions.find((rendition) => rendition.mode === 'copy'),
    );
    if (!verdict.mustEncode) return;
    this.#mustEncode = true;
    this.#remember(feed);
    lane.replaceNow(verdict.reason);
  }

  #judge(feed: PublisherFeed, source: SourceDescription, copied?: RenditionPlan): PolicyVerdict {
    const { settings, gopMemory, window } = this.#options;
    const measures = {
      longestGopMs: Math.max(feed.meter.longestMs, feed.meter.currentMs),
      declaredGopFrames: feed.declaredGopFrames,
      bitrate: feed.meter.bitrate,
      memory: gopMemory.recall(this.streamId),
    };
    return judgeSource(measures, source, settings, this.#targetDuration ?? window.targetDuration, copied);
  }

  #hold(now: number): void {
    const lane = this.#publisher?.lane.silent === false ? undefined : this.#lane;
    const { window, settings } = this.#options;
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
    const windowMs = end === 'goodbye' ? settings.goodbyeWindowMs : settings.reconnectWindowMs;
    const flushed = this.#detach();
    this.#turn += 1;
    const turn = this.#turn;
    this.#state = 'interrupted';
    window.setInterrupted(true);
    this.#options.onInterrupted(this, windowMs);
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
      this.#remember(feed);
      this.#flushing.set(
        lane,
        lane.stop().finally(() => this.#flushing.delete(lane)),
      );
    }
    await Promise.all(this.#flushing.values());
  }

  #remember(feed: PublisherFeed): void {
    const { gopMemory } = this.#options;
    // Without a whole GOP nothing is known that would refute what was remembered.
    const remembered = feed.meter.longestMs > 0 ? 0 : (gopMemory.recall(this.streamId)?.longestGopMs ?? 0);
    const longestGopMs = Math.max(feed.meter.longestMs, feed.meter.currentMs, remembered);
    if (longestGopMs === 0) return;
    gopMemory.remember(this.streamId, { longestGopMs, peakBitrate: feed.meter.peakBitrate });
  }

  #finish(reason: string, how: SessionEnd = 'ended'): void {
    if (this.#state === 'ended' || this.#publisher !== undefined) return;
    this.#state = 'ended';
    this.#options.window.markEnded();
    this.#logger.info({ reason }, 'the session has ended');
    this.#options.onEnded(this, reason);
    void this.#options.companions.ended(how).then(this.#settled.resolve);
  }
}
