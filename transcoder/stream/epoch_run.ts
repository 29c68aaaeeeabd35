/**
 * One epoch at work: an FFmpeg and the packager behind it. This is the interface that the encoder lane drives;
 * open_epoch_run.ts builds the real one.
 */
import type { Epoch } from '../../contracts/ids.ts';
import type { EncodePlan, SourceDescription } from '../encode/encode_plan.ts';
import type { MediaTag } from '../flv/media_tag.ts';

export interface EpochRunOptions {
  readonly epoch: Epoch;
  readonly plan: EncodePlan;
  readonly source: SourceDescription;
  /** Unix time, ms, at which the epoch's first key frame arrived: the anchor of PROGRAM-DATE-TIME. */
  readonly startedAtWallMs: number;
  /** Media before this time on the epoch's timeline, ms, is decoded but not shown again: viewers had it already. For plans that copy nothing. */
  readonly skipUntilMs?: number;
  /** Media that is written at once, bytes: what was kept since the last key frame. */
  readonly backlogBytes: number;
  /** The first part is in the window. */
  readonly onFirstOutput: () => void;
  /** FFmpeg ended although nobody asked it to, or its output could not be read. One line, fit for a log. */
  readonly onFailure: (reason: string) => void;
}

export interface EpochRun {
  readonly epoch: Epoch;
  readonly plan: EncodePlan;
  readonly hasOutput: boolean;
  /** Media that FFmpeg has not taken yet, ms. */
  readonly lagMs: number;
  /** Monotonic ms of the last byte of what the plan is about (video, else audio) from FFmpeg's pipes, or of the start. */
  readonly lastOutputAtMs: number;
  /** @param tag on the epoch's timeline */
  write(tag: MediaTag): void;
  /** No more input: resolves when all that FFmpeg still had is in the window, after a bounded time. */
  finish(): Promise<void>;
  /** Ends FFmpeg at once; what is in the packager goes into the window. */
  kill(): void;
  /** Emits what waits for late audio. Called often. */
  flushLate(nowMs: number): void;
  /** Appends a standing picture; false when there is none to show. */
  hold(seconds: number): boolean;
}

export type OpenEpochRun = (options: EpochRunOptions) => EpochRun;

/** False for a plan of sound alone. */
export function hasPicture(plan: EncodePlan): boolean {
  return plan.renditions.some((rendition) => rendition.mode !== 'audio');
}
