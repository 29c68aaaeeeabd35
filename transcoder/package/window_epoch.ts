/**
 * One epoch in the live window: what its packager appends gets its media sequence number and programme time here, and
 * its end leaves all renditions at the same number.
 */
import type { Epoch } from '../../contracts/ids.ts';
import { secondsToTicks, ticksToSeconds } from './media_time.ts';
import type { RenditionTrack, WindowPart, WindowSegment } from './window_segment.ts';

/** Ties the epoch's media time to the clock on the wall. */
export interface EpochAnchor {
  /** Presentation time on the pipes' timeline, seconds. */
  readonly mediaSeconds: number;
  /** Unix time of it, ms. */
  readonly programDateTimeMs: number;
}

/** What an epoch may do to its window. */
export interface WindowInternals {
  readonly tracks: readonly RenditionTrack[];
  /** 90 kHz ticks. */
  readonly targetTicks: number;
  /** The epoch publishes its first segment: does it begin with a DISCONTINUITY? */
  readonly beginEpoch: () => boolean;
  readonly completed: (track: RenditionTrack, segment: WindowSegment) => void;
  readonly changed: () => void;
}

/** Where an appended part belongs. */
export interface PartPlace {
  /** Index of the rendition. */
  readonly rendition: number;
  /** Index of the segment in the epoch, from 0. */
  readonly segment: number;
  /** Presentation time at which that segment begins, 90 kHz: the same in all renditions. */
  readonly segmentStart: number;
  readonly hold: boolean;
}

/** Less than this between what is known and the first picture, ms, needs no gap: players overlook it. */
const LEAST_LEAD_MS = 100;
/** A player that waited longer than this begins anew, ms. */
const MOST_LEAD_MS = 60_000;
/** So many segments at the end of what was published may not have reached a player that is close behind. */
const OVERLAP_SEGMENTS = 2;

export class WindowEpoch {
  readonly epoch: Epoch;
  /** MSN of the first thing that is published under this epoch. */
  readonly #beginMsn: number;
  /** How many gaps stand before segment 0 over the time that nobody knows anything of; undefined until it begins. */
  #leadMsns: number | undefined;
  readonly #window: WindowInternals;
  readonly #anchor: EpochAnchor;
  /** No segment of this epoch is dated before this, ms. */
  readonly #earliestMs: number;
  /** Programme times of recent segments: the first rendition to begin one sets it for all. */
  readonly #dates = new Map<number, number>();
  #shiftMs: number | undefined;
  readonly #leadWanted: boolean;
  #discontinuity: boolean | undefined;
  #closed = false;
  /** Renditions that nothing is made for. */
  readonly #absent = new Set<RenditionTrack>();

  /** @param from where the epoch begins; `isHeir`: what was published before it was published elsewhere */
  constructor(
    window: WindowInternals,
    epoch: Epoch,
    anchor: EpochAnchor,
    from: { readonly msn: number; readonly earliestMs: number; readonly isHeir: boolean },
  ) {
    this.#window = window;
    this.epoch = epoch;
    this.#anchor = anchor;
    this.#beginMsn = from.msn;
    this.#earliestMs = from.earliestMs;
    this.#leadWanted = from.isHeir && from.earliestMs > 0;
  }

  /** MSN of the epoch's segment 0. */
  get firstMsn(): number {
    return this.#beginMsn + (this.#leadMsns ?? 0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @param data the rendition's initialization segment for this epoch */
  setInit(rendition: number, data: Buffer): void {
    if (!this.#closed) this.#track(rendition).inits.set(this.epoch, data);
  }

  /** Appends a part, beginning its segment if need be. Segments that the rendition left out become gaps. */
  appendPart(place: PartPlace, part: WindowPart): void {
    if (this.#closed) return;
    const track = this.#track(place.rendition);
    if (this.#leadWanted && this.#leadMsns === undefined) this.#lead(place.segmentStart);
    const msn = this.firstMsn + place.segment;
    if (this.#lastMsn(track) < msn) {
      this.#completeOpen(track);
      this.#fillGaps(track, msn);
      const programDateTimeMs = this.#date(msn, place.segmentStart);
      track.begin({
        epoch: this.epoch,
        msn,
        programDateTimeMs,
        discontinuity: this.#discontinuityAt(msn),
        hold: place.hold,
      });
    }
    track.append(part);
    this.#window.changed();
  }

  /** Completes the rendition's open segment, if it has one. */
  endSegment(rendition: number): void {
    if (this.#closed) return;
    if (this.#completeOpen(this.#track(rendition))) this.#window.changed();
  }

  /** Nothing is made for this rendition any more: from now on it gets a gap for each segment that another one completes. */
  abandon(rendition: number): void {
    if (this.#closed) return;
    const track = this.#track(rendition);
    this.#completeOpen(track);
    this.#absent.add(track);
    this.#followOthers();
    this.#window.changed();
  }

  /**
   * Completes what is open, short as it may be, and gives renditions that lag behind EXT-X-GAP segments (RFC 8216bis
   * section 4.4.4.7), so that the next epoch starts at one MSN everywhere.
   */
  close(): void {
    if (this.#closed) return;
    const { tracks } = this.#window;
    for (const track of tracks) this.#completeOpen(track);
    const end = Math.max(...tracks.map((track) => this.#lastMsn(track))) + 1;
    for (const track of tracks) this.#fillGaps(track, end);
    this.#closed = true;
    this.#window.changed();
  }

  /** MSN of the newest segment of this epoch, or the one before its first. */
  #lastMsn(track: RenditionTrack): number {
    return Math.max(track.last?.msn ?? -1, this.#beginMsn - 1);
  }

  /**
   * Gaps from before the end of what is known of the session to the epoch's first picture: a player finds the place
   * where it stopped by its date, which must lie inside the first playlist (hls.js loads nothing any more otherwise).
   * What was published last may never have reached it.
   */
  #lead(segmentStart: number): void {
    const firstMs = this.#dateOf(segmentStart);
    const missingMs = Math.min(firstMs - this.#earliestMs, MOST_LEAD_MS);
    this.#leadMsns = 0;
    if (missingMs < LEAST_LEAD_MS) return;
    const targetMs = ticksToSeconds(this.#window.targetTicks) * 1000;
    const count = Math.ceil(missingMs / targetMs);
    const eachMs = missingMs / count;
    this.#leadMsns = OVERLAP_SEGMENTS + count;
    for (const track of this.#window.tracks) {
      for (let index = -OVERLAP_SEGMENTS; index < count; index += 1) {
        const dateMs = firstMs - missingMs + index * (index < 0 ? targetMs : eachMs);
        const duration = index < 0 ? this.#window.targetTicks : secondsToTicks(eachMs / 1000);
        this.#gap(track, this.#beginMsn + OVERLAP_SEGMENTS + index, dateMs, duration, index < 0);
      }
    }
  }

  /** @param known its time was published before, elsewhere: nobody misses it */
  #gap(track: RenditionTrack, msn: number, programDateTimeMs: number, duration: number, known = false): void {
    track.begin({
      epoch: this.epoch,
      msn,
      programDateTimeMs,
      discontinuity: this.#discontinuityAt(msn),
      hold: false,
    });
    const gap = track.complete({ duration });
    if (gap !== undefined && !known) this.#window.completed(track, gap);
  }

  #completeOpen(track: RenditionTrack): boolean {
    const segment = track.complete();
    if (segment === undefined) return false;
    this.#window.completed(track, segment);
    this.#followOthers();
    return true;
  }

  #followOthers(): void {
    if (this.#absent.size === 0) return;
    const whole = this.#window.tracks.map((track) => track.lastCompleteMsn ?? -1);
    for (const track of this.#absent) this.#fillGaps(track, Math.max(...whole) + 1);
  }

  /** Gaps from the rendition's next MSN up to, not including, `end`. */
  #fillGaps(track: RenditionTrack, end: number): void {
    for (let msn = this.#lastMsn(track) + 1; msn < end; msn += 1) {
      const twin = this.#window.tracks.map((other) => other.find(msn)).find((segment) => segment?.complete === true);
      const before = track.last;
      const programDateTimeMs =
        twin?.programDateTimeMs ??
        (before === undefined ? this.#earliestMs : before.programDateTimeMs + ticksToSeconds(before.duration) * 1000);
      this.#gap(track, msn, programDateTimeMs, twin?.duration ?? this.#window.targetTicks);
    }
  }

  #discontinuityAt(msn: number): boolean {
    this.#discontinuity ??= this.#window.beginEpoch();
    return this.#discontinuity && msn === this.#beginMsn;
  }

  /** Linear in media time within the epoch; the whole epoch is moved when it would begin before the last one's end. */
  #date(msn: number, segmentStart: number): number {
    const known = this.#dates.get(msn);
    if (known !== undefined) return known;
    const date = this.#dateOf(segmentStart);
    this.#dates.set(msn, date);
    if (this.#dates.size > 64) this.#dates.delete(Math.min(...this.#dates.keys()));
    return date;
  }

  #dateOf(segmentStart: number): number {
    const linear = this.#anchor.programDateTimeMs + (ticksToSeconds(segmentStart) - this.#anchor.mediaSeconds) * 1000;
    this.#shiftMs ??= Math.max(0, this.#earliestMs - linear);
    return linear + this.#shiftMs;
  }

  #track(rendition: number): RenditionTrack {
    const track = this.#window.tracks[rendition];
    if (track === undefined)
      throw new RangeError(`got rendition ${rendition}, wanted one of ${this.#window.tracks.length}`);
    return track;
  }
}
