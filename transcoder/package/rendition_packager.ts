/**
 * One rendition of one epoch: joins its cut pictures with its audio and appends the parts to the window.
 */
import { AAC_FRAME_SAMPLES, AUDIO_TIMESCALE } from './aac_track.ts';
import type { AudioFrames, AudioQueue } from './audio_queue.ts';
import { writeFragment } from './fragment_writer.ts';
import type { FragmentSample, FragmentTrack } from './fragment_writer.ts';
import { AUDIO_TRACK_ID, VIDEO_TRACK_ID } from './init_segment.ts';
import { audioToVideoTime, secondsToTicks, videoToAudioTime } from './media_time.ts';
import type { SegmentPlan } from './segment_plan.ts';
import type { CutEvent, VideoPart, VideoPartCutter } from './video_part_cutter.ts';
import type { WindowEpoch } from './window_epoch.ts';

/** What the epoch asks of each of its renditions, whether it has pictures or sound alone. */
export interface RenditionPackager {
  /** Presentation time up to which media is published or about to be, 90 kHz; undefined before the first. */
  readonly endTicks: number | undefined;
  /** Publishes what is complete now that more audio is there. */
  drain(): void;
  /** Publishes what has waited for audio for too long. `nowMs` is on any clock that only rises. */
  flushLate(nowMs: number): void;
  /** No more input: publishes everything; the last part is drawn out to `endTicks` as far as a part may last. */
  finish(endTicks: number): void;
  /** Repeats the last key frame, with silence, up to `endTicks`. False when there never was one. */
  holdTo(endTicks: number): boolean;
  endSegment(): void;
}

/** How long a part waits for its sound once its pictures are complete. */
const AUDIO_WAIT_MS = 250;
/** Less than this is no part: 1 ms. */
const LEAST_PART_TICKS = 90;

export interface RenditionContext {
  readonly rendition: number;
  readonly plan: SegmentPlan;
  readonly epoch: WindowEpoch;
  readonly audio: AudioQueue;
  /** PART-TARGET, seconds. */
  readonly partTarget: number;
}

export class VideoRenditionPackager implements RenditionPackager {
  readonly #context: RenditionContext;
  readonly #cutter: VideoPartCutter;
  readonly #cut: CutEvent[] = [];
  #sequence = 0;
  #waitingSinceMs: number | undefined;
  /** Set by the first hold: index of the segment, and where the next part begins, 90 kHz. */
  #hold: { segment: number; end: number } | undefined;

  constructor(context: RenditionContext, cutter: VideoPartCutter) {
    this.#context = context;
    this.#cutter = cutter;
  }

  get endTicks(): number | undefined {
    return this.#hold?.end ?? this.#cutter.endPts;
  }

  drain(): void {
    this.#cut.push(...this.#cutter.take());
    let next = this.#cut[0];
    while (next !== undefined && (next.kind === 'segment-end' || this.#context.audio.ready(audioEnd(next)))) {
      this.#publish(next);
      next = this.#cut[0];
    }
  }

  flushLate(nowMs: number): void {
    const waiting = this.#cut[0];
    if (waiting?.kind !== 'part') return;
    this.#waitingSinceMs ??= nowMs;
    if (nowMs - this.#waitingSinceMs < AUDIO_WAIT_MS) return;
    this.#context.audio.giveUp(audioEnd(waiting));
    this.#publish(waiting);
    this.drain();
  }

  finish(endTicks: number): void {
    this.#cutter.finishPart(endTicks);
    this.drain();
    let waiting = this.#cut[0];
    while (waiting !== undefined) {
      if (waiting.kind === 'part') this.#context.audio.giveUp(audioEnd(waiting));
      this.#publish(waiting);
      waiting = this.#cut[0];
    }
  }

  holdTo(endTicks: number): boolean {
    const { plan, audio, partTarget } = this.#context;
    const keyframe = this.#cutter.lastKeyframe;
    const start = this.endTicks;
    if (keyframe === undefined || start === undefined) return false;
    audio.mute();
    this.#hold ??= { segment: this.#cutter.segment, end: start };
    while (endTicks - this.#hold.end >= LEAST_PART_TICKS) {
      const segment = plan.segmentOf(this.#hold.end) ?? 0;
      if (segment > this.#hold.segment) {
        this.endSegment();
        this.#hold.segment = segment;
      }
      const boundary = plan.startOf(this.#hold.segment + 1) ?? Infinity;
      const end = Math.min(endTicks, this.#hold.end + secondsToTicks(partTarget), boundary);
      this.#publishHold(this.#hold.segment, this.#hold.end, end, keyframe.data);
      this.#hold.end = end;
    }
    return true;
  }

  endSegment(): void {
    this.#context.epoch.endSegment(this.#context.rendition);
  }

  #publish(event: CutEvent): void {
    this.#cut.shift();
    this.#waitingSinceMs = undefined;
    if (event.kind === 'segment-end') {
      this.endSegment();
      return;
    }
    const { epoch, rendition, audio } = this.#context;
    const { segment, segmentStart, duration, independent, baseDecodeTime, samples } = event;
    const frames = audio.take(videoToAudioTime(segmentStart), audioEnd(event));
    const data = this.#write({ baseDecodeTime, samples }, frames);
    epoch.appendPart({ rendition, segment, segmentStart, hold: false }, { duration, independent, data });
  }

  #publishHold(segment: number, start: number, end: number, keyframe: Buffer): void {
    const { epoch, rendition, audio, plan } = this.#context;
    const duration = end - start;
    const frames = audio.take(videoToAudioTime(start), videoToAudioTime(end));
    const picture: FragmentSample = { duration, compositionOffset: 0, keyframe: true, data: keyframe };
    const data = this.#write({ baseDecodeTime: start, samples: [picture] }, frames);
    const segmentStart = plan.startOf(segment) ?? start;
    epoch.appendPart({ rendition, segment, segmentStart, hold: true }, { duration, independent: true, data });
  }

  #write(video: Pick<FragmentTrack, 'baseDecodeTime' | 'samples'>, audio: AudioFrames): Buffer {
    this.#sequence += 1;
    return writeFragment(this.#sequence, [
      { trackId: VIDEO_TRACK_ID, kind: 'video', ...video },
      { trackId: AUDIO_TRACK_ID, kind: 'audio', ...audio },
    ]);
  }
}

/** When the sound of a part ends, 48 kHz. */
function audioEnd(part: VideoPart): number {
  return videoToAudioTime(part.endPts);
}

/** A rendition of sound alone: parts and segments by frame count, every part independent. */
export class AudioRenditionPackager implements RenditionPackager {
  readonly #context: RenditionContext;
  readonly #partSamples: number;
  readonly #partsPerSegment: number;
  #sequence = 0;
  #segment = -1;
  #partsInSegment = 0;
  /** 48 kHz. */
  #end: number | undefined;

  /** @param segmentSeconds what a segment should last */
  constructor(context: RenditionContext, segmentSeconds: number) {
    this.#context = context;
    const frames = Math.max(1, Math.floor((context.partTarget * AUDIO_TIMESCALE) / AAC_FRAME_SAMPLES));
    this.#partSamples = frames * AAC_FRAME_SAMPLES;
    this.#partsPerSegment = Math.max(1, Math.round(segmentSeconds / context.partTarget));
  }

  get endTicks(): number | undefined {
    return this.#end === undefined ? undefined : audioToVideoTime(this.#end);
  }

  drain(): void {
    const { audio } = this.#context;
    this.#end ??= audio.firstWaiting;
    while (this.#end !== undefined && audio.ready(this.#end + this.#partSamples)) {
      this.#publish(this.#end + this.#partSamples, false);
    }
  }

  /** Nothing tells sound alone how late it is. */
  flushLate(): void {
    this.drain();
  }

  finish(): void {
    const { audio } = this.#context;
    this.drain();
    if (this.#end !== undefined && audio.firstWaiting !== undefined)
      this.#publish(this.#end + this.#partSamples, false);
  }

  holdTo(endTicks: number): boolean {
    if (this.#end === undefined) return false;
    this.#context.audio.mute();
    // Whole parts only: a short one inside a segment stops some players. What is missing follows with a later call.
    const target = videoToAudioTime(endTicks);
    while (this.#end + this.#partSamples / 2 <= target) this.#publish(this.#end + this.#partSamples, true);
    return true;
  }

  endSegment(): void {
    this.#partsInSegment = 0;
    this.#context.epoch.endSegment(this.#context.rendition);
  }

  #publish(until: number, hold: boolean): void {
    const { audio, epoch, plan, rendition } = this.#context;
    const start = this.#end ?? 0;
    const frames = audio.take(start, until);
    this.#end = Math.max(audio.cursor ?? until, start);
    if (frames.samples.length === 0) return;
    if (this.#partsInSegment === 0) this.#segment = hold ? plan.newest : plan.begin(audioToVideoTime(start));
    this.#sequence += 1;
    const data = writeFragment(this.#sequence, [{ trackId: AUDIO_TRACK_ID, kind: 'audio', ...frames }]);
    const duration = audioToVideoTime(this.#end) - audioToVideoTime(start);
    const segmentStart = plan.startOf(this.#segment) ?? audioToVideoTime(start);
    epoch.appendPart({ rendition, segment: this.#segment, segmentStart, hold }, { duration, independent: true, data });
    this.#partsInSegment += 1;
    if (!hold && this.#partsInSegment >= this.#partsPerSegment) this.endSegment();
  }
}
