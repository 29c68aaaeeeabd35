/**
 * One rendition's audio between FFmpeg and the parts: an unbroken row of AAC frames on the epoch's timeline, silence
 * standing in where sound is late, has holes or is missing.
 */
import { AAC_FRAME_SAMPLES, AUDIO_TIMESCALE, SILENT_AAC_FRAME } from './aac_track.ts';
import type { FragmentTrack } from './fragment_writer.ts';
import type { Sample } from './fragment_reader.ts';

/** Sound that is later than this counts as absent, 48 kHz ticks. */
const ABSENT_AFTER = AUDIO_TIMESCALE;
const HALF_FRAME = AAC_FRAME_SAMPLES / 2;
/** A minute of frames that no picture asks for: older ones are let go. */
const MAX_WAITING = 2813;

export interface AudioFrames {
  /** 48 kHz ticks. */
  readonly baseDecodeTime: number;
  readonly samples: FragmentTrack['samples'];
}

interface Frame {
  readonly dts: number;
  readonly data: Buffer;
}

export class AudioQueue {
  #waiting: Sample[] = [];
  /** Where the next frame goes, 48 kHz; undefined before the first part. */
  #cursor: number | undefined;
  #absent: boolean;
  #heard = false;

  /** @param present false when the source has no audio at all: nothing is waited for */
  constructor(present: boolean) {
    this.#absent = !present;
  }

  /** Where the next frame goes, 48 kHz ticks; undefined before the first one was taken. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** When the first frame that waits begins, 48 kHz ticks. */
  get firstWaiting(): number | undefined {
    return this.#waiting[0]?.dts;
  }

  /** @param sample in 48 kHz ticks; dropped when its place is already filled */
  push(sample: Sample): void {
    if (this.#cursor !== undefined && sample.dts < this.#cursor - HALF_FRAME) return;
    this.#waiting.push(sample);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#absent = false;
    this.#heard = true;
  }

  /** True when every frame that begins before `until` (48 kHz ticks) is here, or there is no sound to wait for. */
  ready(until: number): boolean {
    const last = this.#waiting.at(-1);
    return this.#absent || (last === undefined ? (this.#cursor ?? 0) : last.dts + AAC_FRAME_SAMPLES) >= until;
  }

  /** Nobody waits for sound before `until` any more: if it is over a second late, silence takes its place from now on. */
  giveUp(until: number): void {
    const last = this.#waiting.at(-1);
    const reached = last === undefined ? this.#cursor : last.dts + AAC_FRAME_SAMPLES;
    if (!this.#heard || reached === undefined || until - reached > ABSENT_AFTER) this.#absent = true;
  }

  /** From now on silence alone. */
  mute(): void {
    this.#waiting = [];
    this.#absent = true;
  }

  /** The frames that begin before `until`; `from` is where the first part's sound begins. 48 kHz ticks. */
  take(from: number, until: number): AudioFrames {
    let cursor = this.#cursor ?? this.#align(from);
    const frames: Frame[] = [];
    let used = 0;
    while (cursor < until) {
      const next = this.#waiting[used];
      const ahead = next === undefined ? Infinity : next.dts - cursor;
      if (next !== undefined && ahead < -HALF_FRAME) {
        used += 1;
      } else if (next !== undefined && ahead <= HALF_FRAME) {
        const dts = Math.max(cursor, next.dts);
        if (dts >= until) break;
        frames.push({ dts, data: next.data });
        cursor = dts + AAC_FRAME_SAMPLES;
        used += 1;
      } else if (next !== undefined || this.#absent) {
        frames.push({ dts: cursor, data: SILENT_AAC_FRAME });
        cursor += AAC_FRAME_SAMPLES;
      } else {
        break;
      }
    }
    if (used > 0) this.#waiting.splice(0, used);
    this.#cursor = cursor;
    return {
      baseDecodeTime: frames[0]?.dts ?? cursor,
      samples: frames.map((frame, index) => toSample(frame, frames[index + 1])),
    };
  }

  /** A place at or just before `from` that is a whole number of frames away from the first sound, if there is any. */
  #align(from: number): number {
    this.#waiting = this.#waiting.filter((sample) => sample.dts + AAC_FRAME_SAMPLES > from);
    const first = this.#waiting[0];
    if (first === undefined) return Math.round(from);
    return first.dts - AAC_FRAME_SAMPLES * Math.max(0, Math.ceil((first.dts - from) / AAC_FRAME_SAMPLES));
  }
}

function toSample(frame: Frame, next: Frame | undefined): FragmentTrack['samples'][number] {
  return {
    duration: next === undefined ? AAC_FRAME_SAMPLES : next.dts - frame.dts,
    compositionOffset: 0,
    keyframe: true,
    data: frame.data,
  };
}
