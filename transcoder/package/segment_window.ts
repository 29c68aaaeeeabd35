/**
 * The live window of one stream: the segments and parts of all its renditions in memory, over all epochs of a session,
 * and those who wait for the next one. It numbers, dates and forgets; what a playlist looks like is not its business.
 */
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import { WindowEpoch } from './window_epoch.ts';
import type { EpochAnchor, WindowInternals } from './window_epoch.ts';
import { RenditionTrack } from './window_segment.ts';
import type { WindowSegment } from './window_segment.ts';
import { secondsToTicks, ticksToSeconds } from './media_time.ts';
import { Waiters } from './waiters.ts';

export interface SegmentWindowOptions {
  readonly streamId: StreamId;
  readonly renditions: readonly RenditionName[];
  /** EXT-X-TARGETDURATION, whole seconds. */
  readonly targetDuration: number;
  /** PART-TARGET, seconds. */
  readonly partTarget: number;
  /** PART-HOLD-BACK, seconds; absent: three part targets (RFC 8216bis section 4.4.3.8). */
  readonly partHoldBack?: number;
  /** Seconds of whole segments in a playlist; absent: 60. Never less than three target durations. */
  readonly windowSeconds?: number;
  /** Seconds of media that stay available after leaving the playlist; absent: window + target duration. */
  readonly retainSeconds?: number;
  /** Bytes of media per rendition above which what left the playlist is let go early; absent: 256 MiB. */
  readonly maxBytesPerRendition?: number;
  /** Readers waiting at once; absent: 10,000. */
  readonly maxWaiters?: number;
  /** Where numbering and programme time start: from the registry's claim. */
  readonly carryOn: {
    readonly nextMsn: number;
    readonly discontinuitySequence: number;
    readonly programDateTimeEndMs: number;
  };
  /** True when the session already published segments elsewhere: the first one here then begins with a DISCONTINUITY. */
  readonly resumed: boolean;
}

/** A finished segment, for who records it. */
export interface PublishedSegment {
  readonly rendition: RenditionName;
  readonly epoch: Epoch;
  readonly msn: number;
  readonly durationSeconds: number;
  readonly programDateTimeMs: number;
  readonly discontinuity: boolean;
  readonly gap: boolean;
  readonly hold: boolean;
  /** In order; empty for a gap. Shared: not to be written to. */
  readonly data: readonly Buffer[];
  readonly bytes: number;
}

/** Bits per second over whole segments with media. */
export interface MeasuredBandwidth {
  readonly peak: number;
  readonly average: number;
}

export type WindowState = 'live' | 'interrupted' | 'ended';

/** Parts may be some milliseconds short of their target. */
const SLACK_TICKS = 9000;
const DEFAULT_WINDOW_SECONDS = 60;
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
const DEFAULT_MAX_WAITERS = 10_000;

export class SegmentWindow {
  readonly options: SegmentWindowOptions;
  readonly waiters: Waiters;
  readonly #tracks: ReadonlyMap<RenditionName, RenditionTrack>;
  readonly #trackList: readonly RenditionTrack[];
  readonly #listeners = new Set<(segment: PublishedSegment) => void>();
  readonly #measured = new Map<RenditionName, { bits: number; ticks: number; peak: number }>();
  readonly #internals: WindowInternals;
  #epoch: WindowEpoch | undefined;
  #state: WindowState = 'live';
  #version = 0;
  #discontinuities: number;
  #published: boolean;
  #isPresentable = false;

  constructor(options: SegmentWindowOptions) {
    this.options = options;
    this.waiters = new Waiters(options.maxWaiters ?? DEFAULT_MAX_WAITERS);
    const { discontinuitySequence } = options.carryOn;
    this.#trackList = options.renditions.map((name) => new RenditionTrack(name, discontinuitySequence));
    this.#tracks = new Map(this.#trackList.map((track) => [track.name, track]));
    this.#discontinuities = discontinuitySequence;
    this.#published = options.resumed;
    this.#internals = {
      tracks: this.#trackList,
      targetTicks: secondsToTicks(options.targetDuration),
      beginEpoch: () => this.#beginEpoch(),
      completed: (track, segment) => this.#completed(track, segment),
      changed: () => this.#changed(),
    };
  }

  /** Rises with every change: what was rendered for one version stands until the next. */
  get version(): number {
    return this.#version;
  }

  get state(): WindowState {
    return this.#state;
  }

  /** The newest epoch that was opened. */
  get epoch(): Epoch | undefined {
    return this.#epoch?.epoch;
  }

  /** The newest epoch, as long as it is not closed. */
  get openEpoch(): WindowEpoch | undefined {
    return this.#epoch?.closed === false ? this.#epoch : undefined;
  }

  /** First MSN that nothing was published under yet. */
  get nextMsn(): number {
    return this.#trackList.reduce(
      (next, track) => Math.max(next, (track.last?.msn ?? -1) + 1),
      this.options.carryOn.nextMsn,
    );
  }

  /** Discontinuity sequence number of the newest segment (RFC 8216bis section 4.4.3.3): an heir's playlist starts with it. */
  get discontinuitySequence(): number {
    return this.#discontinuities;
  }

  /** Unix time, ms, at which the newest published media ends. */
  get programDateTimeEndMs(): number {
    let end = this.options.carryOn.programDateTimeEndMs;
    for (const { last } of this.#trackList) {
      if (last !== undefined) end = Math.max(end, last.programDateTimeMs + ticksToSeconds(last.duration) * 1000);
    }
    return end;
  }

  /** Bytes of media and initialization segments held. */
  get bytes(): number {
    return this.#trackList.reduce((sum, track) => sum + track.bytes, 0);
  }

  /**
   * Whether players may see it yet. An heir's playlist begins with gaps: it must hold as much media behind them as the
   * place has that a player starts from after it stalled, or it would start in a gap and wait.
   */
  get isPresentable(): boolean {
    if (this.#isPresentable) return true;
    const { targetDuration, partTarget, partHoldBack = 3 * partTarget } = this.options;
    // hls.js: PART-HOLD-BACK, and a target duration more after some stalls; a part on top, or it hits the boundary.
    const wanted = secondsToTicks(targetDuration + partHoldBack + partTarget) - SLACK_TICKS;
    this.#isPresentable =
      this.#state === 'ended' ||
      this.#trackList.some((track) => {
        const listed = track.listed();
        const media = listed.reduce((sum, { gap, duration }) => sum + (gap ? 0 : duration), 0);
        return track.lastCompleteMsn !== undefined && (listed[0]?.gap !== true || media >= wanted);
      });
    return this.#isPresentable;
  }

  track(rendition: RenditionName): RenditionTrack | undefined {
    return this.#tracks.get(rendition);
  }

  get tracks(): readonly RenditionTrack[] {
    return this.#trackList;
  }

  /** Undefined until a segment with media is whole. */
  measuredBandwidth(rendition: RenditionName): MeasuredBandwidth | undefined {
    const measured = this.#measured.get(rendition);
    if (measured === undefined) return undefined;
    return { peak: Math.ceil(measured.peak), average: Math.round(measured.bits / ticksToSeconds(measured.ticks)) };
  }

  /**
   * Begins an epoch; the one before is closed. Its first segment gets one MSN in all renditions.
   * @throws RangeError when `epoch` does not rise, or the window has ended
   */
  startEpoch(epoch: Epoch, anchor: EpochAnchor): WindowEpoch {
    const before = this.#epoch?.epoch;
    if (before !== undefined && epoch <= before) throw new RangeError(`got epoch ${epoch} after ${before}`);
    if (this.#state === 'ended') throw new RangeError(`got epoch ${epoch} after the end of the session`);
    this.#epoch?.close();
    this.#epoch = new WindowEpoch(this.#internals, epoch, anchor, {
      msn: this.nextMsn,
      earliestMs: this.programDateTimeEndMs,
      isHeir: this.options.resumed && this.#trackList.every((track) => track.last === undefined),
    });
    return this.#epoch;
  }

  /** Called for every whole segment, gaps included, in the order of each rendition. Must not throw. Gives the way to stop. */
  onSegment(listener: (segment: PublishedSegment) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The publisher is away, or back. Nothing to say once the session has ended. */
  setInterrupted(interrupted: boolean): void {
    if (this.#state === 'ended') return;
    this.#state = interrupted ? 'interrupted' : 'live';
  }

  /** Closes the epoch; from now on ENDLIST stands in every playlist and nobody waits. */
  markEnded(): void {
    if (this.#state === 'ended') return;
    this.#epoch?.close();
    this.#state = 'ended';
    this.#changed();
  }

  /** Whether the epoch's first segment begins with a DISCONTINUITY; counts it. */
  #beginEpoch(): boolean {
    const discontinuity = this.#published;
    this.#published = true;
    if (discontinuity) this.#discontinuities += 1;
    return discontinuity;
  }

  #completed(track: RenditionTrack, segment: WindowSegment): void {
    const durationSeconds = ticksToSeconds(segment.duration);
    if (!segment.gap && !segment.hold && segment.duration > 0) this.#measure(track.name, segment);
    const { targetDuration, windowSeconds = DEFAULT_WINDOW_SECONDS, maxBytesPerRendition } = this.options;
    const { retainSeconds = windowSeconds + targetDuration } = this.options;
    track.trim(
      secondsToTicks(Math.max(windowSeconds, 3 * targetDuration)),
      secondsToTicks(retainSeconds),
      maxBytesPerRendition ?? DEFAULT_MAX_BYTES,
    );
    if (this.#listeners.size === 0) return;
    const published: PublishedSegment = {
      rendition: track.name,
      epoch: segment.epoch,
      msn: segment.msn,
      durationSeconds,
      programDateTimeMs: segment.programDateTimeMs,
      discontinuity: segment.discontinuity,
      gap: segment.gap,
      hold: segment.hold,
      data: segment.parts.map((part) => part.data),
      bytes: segment.bytes,
    };
    for (const listener of this.#listeners) listener(published);
  }

  #measure(rendition: RenditionName, segment: WindowSegment): void {
    const measured = this.#measured.get(rendition) ?? { bits: 0, ticks: 0, peak: 0 };
    measured.bits += segment.bytes * 8;
    measured.ticks += segment.duration;
    // A short one at an epoch's end says nothing about a rate (RFC 8216bis section 4.4.6.2 counts 0.5 to 1.5 targets).
    if (segment.duration >= secondsToTicks(this.options.targetDuration) / 2 || measured.peak === 0) {
      measured.peak = Math.max(measured.peak, (segment.bytes * 8) / ticksToSeconds(segment.duration));
    }
    this.#measured.set(rendition, measured);
  }

  #changed(): void {
    this.#version += 1;
    this.waiters.wake();
  }
}
