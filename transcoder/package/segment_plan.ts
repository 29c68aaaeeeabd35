/**
 * Where an epoch's segments begin: one answer for all renditions, remembered by presentation time, so that segment n
 * begins at the same picture everywhere (RFC 8216bis section 6.2.4 wants matching content at matching times).
 */
import { VIDEO_TIMESCALE } from './media_time.ts';

export interface SegmentPlanOptions {
  /** `grid`: every key frame begins a segment. `source`: key frames come as the publisher makes them. */
  readonly mode: 'grid' | 'source';
  /** EXT-X-TARGETDURATION, whole seconds. */
  readonly targetDuration: number;
  /** Seconds that a segment should last; at most `targetDuration`. */
  readonly segmentSeconds: number;
}

/** EXTINF rounded to the nearest whole number must not exceed the target duration (RFC 8216bis section 4.4.3.1). */
const ROUNDING_SECONDS = 0.45;
/** Two renditions' times of one picture differ by less: milliseconds of RTMP against a 90 kHz grid. */
const SAME_PICTURE_TICKS = 180;
/** An announced key frame is recognised at the end of a part within this: less than half a frame at 60 per second. */
const ANNOUNCED_TICKS = 700;
const MAX_ANNOUNCED = 64;

export class SegmentPlan {
  readonly #mode: SegmentPlanOptions['mode'];
  readonly #targetTicks: number;
  readonly #limitTicks: number;
  /** Presentation times at which segments begin, ascending, 90 kHz. The index counts from the epoch's first segment. */
  readonly #starts: number[] = [];
  /** Index of `#starts[0]`: what lies far behind is forgotten. */
  #base = 0;
  #longestGop: number;
  /** True once `#longestGop` comes from the source. */
  #measured = false;
  #lastKeyframe: number | undefined;
  /** Presentation times of key frames that the publisher sent, ascending. */
  #announced: number[] = [];

  constructor({ mode, targetDuration, segmentSeconds }: SegmentPlanOptions) {
    this.#mode = mode;
    this.#targetTicks = Math.min(segmentSeconds, targetDuration) * VIDEO_TIMESCALE;
    this.#limitTicks = (targetDuration + ROUNDING_SECONDS) * VIDEO_TIMESCALE;
    this.#longestGop = targetDuration * VIDEO_TIMESCALE;
  }

  /** Longest distance between key frames so far, 90 kHz; the target duration until one is known. */
  get longestGop(): number {
    return this.#longestGop;
  }

  /** Index of the segment that begins at this key frame, or undefined when it lies inside one. `pts` in 90 kHz ticks. */
  atKeyframe(pts: number): number | undefined {
    this.#measureGop(pts);
    const last = this.#starts.at(-1);
    if (last === undefined) return this.#append(pts);
    if (pts <= last + SAME_PICTURE_TICKS) return this.#find(pts);
    return this.#cutsAt(pts - last) ? this.#append(pts) : undefined;
  }

  /** The publisher has sent a key frame with this presentation time, 90 kHz: known before FFmpeg gives it out. */
  announce(pts: number): void {
    this.#announced.push(pts);
    if (this.#announced.length > MAX_ANNOUNCED) this.#announced.shift();
  }

  /** True when a key frame that was announced for this time begins a segment: the one before it is whole then. */
  announcedStart(pts: number): boolean {
    const announced = this.#announced.find((candidate) => Math.abs(candidate - pts) <= ANNOUNCED_TICKS);
    return announced !== undefined && this.atKeyframe(announced) !== undefined;
  }

  /** Index of the segment that this picture lies in; undefined before the first one. */
  segmentOf(pts: number): number | undefined {
    for (let index = this.#starts.length - 1; index >= 0; index -= 1) {
      if (pts >= (this.#starts[index] ?? 0) - SAME_PICTURE_TICKS) return this.#base + index;
    }
    return undefined;
  }

  /** When segment `index` begins, 90 kHz; undefined when that is not known yet or long ago. */
  startOf(index: number): number | undefined {
    return this.#starts[index - this.#base];
  }

  /** True when a picture that ends at `endPts` would make the newest segment too long for its target duration. */
  exceeds(endPts: number): boolean {
    const last = this.#starts.at(-1);
    return last !== undefined && endPts - last > this.#limitTicks;
  }

  /** Begins a segment here, key frame or not, unless one begins here already or later. Gives the newest index. */
  begin(pts: number): number {
    const last = this.#starts.at(-1);
    if (last === undefined || pts > last + SAME_PICTURE_TICKS) return this.#append(pts);
    return this.#base + this.#starts.length - 1;
  }

  /** Index of the newest segment, or -1. */
  get newest(): number {
    return this.#base + this.#starts.length - 1;
  }

  #measureGop(pts: number): void {
    const previous = this.#lastKeyframe;
    if (previous !== undefined && pts <= previous + SAME_PICTURE_TICKS) return;
    if (previous !== undefined) {
      const gop = pts - previous;
      this.#longestGop = this.#measured ? Math.max(this.#longestGop, gop) : gop;
      this.#measured = true;
    }
    this.#lastKeyframe = pts;
  }

  #cutsAt(elapsed: number): boolean {
    if (this.#mode === 'grid' || elapsed >= this.#targetTicks - SAME_PICTURE_TICKS) return true;
    return elapsed + this.#longestGop > this.#limitTicks;
  }

  #find(pts: number): number | undefined {
    for (let index = this.#starts.length - 1; index >= 0; index -= 1) {
      const start = this.#starts[index] ?? 0;
      if (Math.abs(start - pts) <= SAME_PICTURE_TICKS) return this.#base + index;
      if (start < pts) return undefined;
    }
    return undefined;
  }

  #append(pts: number): number {
    this.#starts.push(pts);
    if (this.#starts.length > 256) {
      this.#starts.shift();
      this.#base += 1;
    }
    return this.#base + this.#starts.length - 1;
  }
}
