/**
 * Cuts one rendition's pictures into parts and segments: parts by frame count and by duration, segments where the
 * epoch's plan says.
 */
import { VIDEO_TIMESCALE, secondsToTicks } from './media_time.ts';
import type { FragmentSample } from './fragment_writer.ts';
import type { Sample } from './fragment_reader.ts';
import type { SegmentPlan } from './segment_plan.ts';

export interface VideoPart {
  readonly kind: 'part';
  /** Index of the segment in the epoch. */
  readonly segment: number;
  /** Presentation time at which that segment begins, 90 kHz. */
  readonly segmentStart: number;
  readonly samples: readonly FragmentSample[];
  /** Decoding time of the first sample, 90 kHz. */
  readonly baseDecodeTime: number;
  /** 90 kHz ticks from the end of the part before: their sum over a segment is the segment's duration. */
  readonly duration: number;
  /** Presentation time at which the part ends, 90 kHz. */
  readonly endPts: number;
  /** It begins with a key frame. */
  readonly independent: boolean;
}

export type CutEvent = VideoPart | { readonly kind: 'segment-end'; readonly segment: number };

export interface VideoPartCutterOptions {
  readonly plan: SegmentPlan;
  readonly partFrames: number;
  /** PART-TARGET, seconds. */
  readonly partTarget: number;
  /** Frames of a segment whose next one is certain to begin with a key frame then: closes it without waiting for that. */
  readonly gopFrames?: number;
}

type OpenSample = { -readonly [Key in keyof Sample]: Sample[Key] };

/** Times from RTMP are whole milliseconds: a part of the right number of frames may be this much too long. */
const ROUNDING_TICKS = (2 * VIDEO_TIMESCALE) / 1000;

export class VideoPartCutter {
  readonly #plan: SegmentPlan;
  readonly #partFrames: number;
  readonly #gopFrames: number | undefined;
  /** 90 kHz. */
  readonly #partTicks: number;
  #events: CutEvent[] = [];
  #part: OpenSample[] = [];
  #segment = -1;
  #segmentStart = 0;
  #segmentEnded = true;
  #framesInSegment = 0;
  /** Presentation minus decoding time of the segment's first picture. */
  #offset = 0;
  /** Decoding time up to which durations were handed out. */
  #publishedEnd = 0;
  #lastDts: number | undefined;
  #lastKeyframe: Sample | undefined;

  constructor({ plan, partFrames, partTarget, gopFrames }: VideoPartCutterOptions) {
    this.#plan = plan;
    this.#partFrames = Math.max(1, partFrames);
    this.#partTicks = secondsToTicks(partTarget);
    this.#gopFrames = gopFrames;
  }

  /** The newest key frame, cut or not. */
  get lastKeyframe(): Sample | undefined {
    return this.#lastKeyframe;
  }

  /** Index of the segment that is open or was closed last; -1 before the first. */
  get segment(): number {
    return this.#segment;
  }

  /** Presentation time up to which pictures were taken in, 90 kHz; undefined before the first segment. */
  get endPts(): number | undefined {
    if (this.#segment < 0) return undefined;
    const last = this.#part.at(-1);
    return (last === undefined ? this.#publishedEnd : last.dts + last.duration) + this.#offset;
  }

  /** @param sample in 90 kHz ticks @throws RangeError when decoding time goes back */
  push(sample: Sample): void {
    if (this.#lastDts !== undefined && sample.dts <= this.#lastDts) {
      throw new RangeError(`got a decoding time of ${sample.dts} after ${this.#lastDts}, wanted it to rise`);
    }
    this.#lastDts = sample.dts;
    const previous = this.#part.at(-1);
    if (previous !== undefined) previous.duration = sample.dts - previous.dts;
    const segment = this.#segmentFor(sample);
    if (segment > this.#segment) this.#beginSegment(segment, sample);
    if (this.#segment < 0) return;
    this.#append(sample);
  }

  /** What was cut since the last call. */
  take(): readonly CutEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }

  /**
   * Closes the open part, whatever its length, with the durations that the fragments stated. Its last picture stands
   * until `endPts` (90 kHz) if that is later, as far as the part and the segment reach.
   */
  finishPart(endPts = 0): void {
    const first = this.#part[0];
    const last = this.#part.at(-1);
    if (first !== undefined && last !== undefined) {
      const limit = Math.min(first.dts + this.#partTicks, this.#nextStart() - this.#offset, endPts - this.#offset);
      last.duration = Math.max(last.duration, limit - last.dts);
    }
    this.#closePart();
  }

  #nextStart(): number {
    return this.#plan.startOf(this.#segment + 1) ?? Infinity;
  }

  #segmentFor(sample: Sample): number {
    const pts = sample.dts + sample.compositionOffset;
    if (sample.keyframe) {
      this.#lastKeyframe = sample;
      const begun = this.#plan.atKeyframe(pts);
      if (this.#segment < 0) return begun ?? -1;
    } else if (this.#segment >= 0 && this.#plan.newest === this.#segment && this.#plan.exceeds(pts + sample.duration)) {
      this.#plan.begin(pts);
    }
    if (this.#segment < 0) return -1;
    const segment = this.#plan.segmentOf(pts) ?? -1;
    // A closed segment is published: what still belongs to it by its time goes into the next.
    return this.#segmentEnded ? Math.max(segment, this.#segment + 1) : segment;
  }

  #beginSegment(segment: number, sample: Sample): void {
    this.#closePart();
    this.#endSegment();
    const pts = sample.dts + sample.compositionOffset;
    this.#segment = segment;
    this.#segmentStart = this.#plan.startOf(segment) ?? pts;
    this.#segmentEnded = false;
    this.#framesInSegment = 0;
    this.#offset = pts - sample.dts;
    this.#publishedEnd = sample.dts;
  }

  #append(sample: Sample): void {
    const first = this.#part[0];
    if (first !== undefined && sample.dts + sample.duration - first.dts > this.#partTicks + ROUNDING_TICKS)
      this.#closePart();
    this.#part.push({ ...sample });
    this.#framesInSegment += 1;
    if (this.#part.length >= this.#partFrames) {
      this.#closePart();
      // A hint at a part that never comes is an error to players: close the segment as soon as its end is known.
      if (this.#plan.announcedStart(this.#publishedEnd + this.#offset)) this.#endSegment();
    }
    if (this.#framesInSegment === this.#gopFrames) {
      this.#closePart();
      this.#endSegment();
      this.#plan.begin(this.#publishedEnd + this.#offset);
    }
  }

  #closePart(): void {
    const samples = this.#part;
    const first = samples[0];
    const last = samples.at(-1);
    if (first === undefined || last === undefined) return;
    const end = last.dts + last.duration;
    this.#events.push({
      kind: 'part',
      segment: this.#segment,
      segmentStart: this.#segmentStart,
      samples,
      baseDecodeTime: first.dts,
      duration: Math.max(1, end - this.#publishedEnd),
      endPts: end + this.#offset,
      independent: first.keyframe,
    });
    this.#publishedEnd = end;
    this.#part = [];
  }

  #endSegment(): void {
    if (this.#segmentEnded || this.#segment < 0) return;
    this.#segmentEnded = true;
    this.#events.push({ kind: 'segment-end', segment: this.#segment });
  }
}
