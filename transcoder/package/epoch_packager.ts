/**
 * Packages one epoch: FFmpeg's pipes go in, parts and segments of all renditions come out in the live window.
 */
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan } from '../encode/encode_plan.ts';
import { AAC_CODEC, checkAudioTrack } from './aac_track.ts';
import { AudioQueue } from './audio_queue.ts';
import { BoxError } from './boxes.ts';
import { FragmentReader } from './fragment_reader.ts';
import type { Sample } from './fragment_reader.ts';
import { buildInitSegment } from './init_segment.ts';
import { VIDEO_TIMESCALE, secondsToTicks, ticksToSeconds } from './media_time.ts';
import { AudioRenditionPackager, VideoRenditionPackager } from './rendition_packager.ts';
import type { RenditionContext, RenditionPackager } from './rendition_packager.ts';
import { SegmentPlan } from './segment_plan.ts';
import type { SegmentWindow } from './segment_window.ts';
import type { VideoTrackInit } from './track_init.ts';
import { VideoPartCutter } from './video_part_cutter.ts';
import type { EpochAnchor, WindowEpoch } from './window_epoch.ts';

/** What the codec headers of one rendition say, for the session's shape. */
export interface RenditionTracks {
  readonly name: RenditionName;
  /** RFC 6381, video first. */
  readonly codecs: string;
  /** Pixels; absent for audio alone. */
  readonly resolution?: { readonly width: number; readonly height: number };
}

/** A pipe's bytes could not be packaged; that pipe is ignored from then on. `cause` says why. */
export class PackageError extends Error {
  override readonly name = 'PackageError';
  readonly pipe: 'video' | 'audio';
  /** Index of the rendition, or of the audio bitrate. */
  readonly index: number;

  constructor(pipe: 'video' | 'audio', index: number, cause: unknown) {
    super(`${pipe} ${index}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.pipe = pipe;
    this.index = index;
  }
}

export interface EpochPackagerOptions {
  readonly epoch: Epoch;
  /** Its renditions are the window's or some of them; those that are left out are published as gaps. */
  readonly plan: EncodePlan;
  readonly window: SegmentWindow;
  readonly anchor: EpochAnchor;
  /** Seconds that a segment should last, at most the window's target duration. */
  readonly segmentSeconds: number;
  /** Frames of an encoded ladder's GOP are exact: a segment then closes with its last frame. Absent: true without `followsSource`. */
  readonly exactGop?: boolean;
  /** Once, when the codec headers of all renditions are known. */
  readonly onTracks?: (tracks: readonly RenditionTracks[]) => void;
  /** At most once per pipe. Must not throw. */
  readonly onError: (error: PackageError) => void;
}

interface VideoPipe {
  readonly reader: FragmentReader;
  readonly cutter: VideoPartCutter;
  init?: VideoTrackInit;
  /** 90 kHz ticks by which decoding is moved ahead, from the first fragment. */
  decodeShift?: number;
}

export class EpochPackager {
  readonly #options: EpochPackagerOptions;
  readonly #windowEpoch: WindowEpoch;
  readonly #segmentPlan: SegmentPlan;
  readonly #renditions: RenditionPackager[] = [];
  /** By rendition; undefined for audio alone. */
  readonly #videoPipes: (VideoPipe | undefined)[] = [];
  readonly #audioReaders: FragmentReader[];
  /** By audio pipe: the queues of the renditions that use it. */
  readonly #audioQueues: { readonly queue: AudioQueue; readonly rendition: RenditionPackager }[][];
  readonly #failed = new Set<string>();
  readonly #tracks = new Map<number, RenditionTracks>();
  #input: 'open' | 'finished' = 'open';
  /** Index of the open hold segment and where it began, 90 kHz. */
  #holdStart: number | undefined;
  /** Up to where holding has gone, 90 kHz. */
  #holdEnd: number | undefined;

  /** @throws RangeError when the epoch does not rise, the session has ended, or a rendition is not the window's */
  constructor(options: EpochPackagerOptions) {
    const { epoch, plan, window, anchor, segmentSeconds } = options;
    this.#options = options;
    const unknown = plan.renditions.find(({ name }) => !window.options.renditions.includes(name));
    if (unknown !== undefined) {
      throw new RangeError(`got rendition ${unknown.name}, wanted one of ${window.options.renditions.join(', ')}`);
    }
    this.#windowEpoch = window.startEpoch(epoch, anchor);
    const { targetDuration } = window.options;
    this.#segmentPlan = new SegmentPlan({
      mode: plan.followsSource ? 'source' : 'grid',
      targetDuration,
      segmentSeconds,
    });
    this.#audioReaders = plan.audioBitrates.map(() => new FragmentReader());
    this.#audioQueues = plan.audioBitrates.map(() => []);
    for (const rendition of plan.renditions.keys()) this.#addRendition(rendition);
    for (const [index, name] of window.options.renditions.entries()) {
      if (plan.renditions.every((planned) => planned.name !== name)) this.#windowEpoch.abandon(index);
    }
  }

  get epoch(): Epoch {
    return this.#windowEpoch.epoch;
  }

  /** Media packaged so far per rendition, seconds on the pipes' timeline; undefined before the first segment. */
  get progress(): readonly (number | undefined)[] {
    return this.#renditions.map(({ endTicks }) => (endTicks === undefined ? undefined : ticksToSeconds(endTicks)));
  }

  /** Longest distance between key frames so far, seconds; the target duration until one is known. */
  get longestGopSeconds(): number {
    return ticksToSeconds(this.#segmentPlan.longestGop);
  }

  /** The publisher has sent a key frame that will be shown at this time on the pipes' timeline, seconds. */
  announceKeyFrame(seconds: number): void {
    this.#segmentPlan.announce(secondsToTicks(seconds));
  }

  /** Bytes from the video pipe of a rendition. The chunk becomes the packager's. */
  video(rendition: number, chunk: Buffer): void {
    this.#guard('video', rendition, () => {
      const pipe = this.#videoPipes[rendition];
      if (pipe === undefined) throw new RangeError('got video for a rendition that has none');
      const { init, samples } = pipe.reader.push(chunk);
      if (init?.kind === 'audio') throw new BoxError('got an audio track, wanted video');
      if (init !== undefined) {
        pipe.init = init;
        this.#publishInit(rendition, init);
      }
      const timescale = pipe.init?.timescale ?? VIDEO_TIMESCALE;
      const scaled = timescale === VIDEO_TIMESCALE ? samples : samples.map((sample) => rescale(sample, timescale));
      if (scaled.length > 0) pipe.decodeShift ??= reorderTicks(scaled, pipe.init?.reorderFrames);
      for (const sample of scaled) pipe.cutter.push(shiftDecoding(sample, pipe.decodeShift ?? 0));
      this.#renditions[rendition]?.drain();
    });
  }

  /** Bytes from the audio pipe of a bitrate of the plan. The chunk becomes the packager's. */
  audio(index: number, chunk: Buffer): void {
    this.#guard('audio', index, () => {
      const reader = this.#audioReaders[index];
      if (reader === undefined) throw new RangeError('got audio for a bitrate that is not in the plan');
      const { init, samples } = reader.push(chunk);
      if (init?.kind === 'video') throw new BoxError('got a video track, wanted audio');
      if (init !== undefined) checkAudioTrack(init);
      for (const { queue, rendition } of this.#audioQueues[index] ?? []) {
        for (const sample of samples) queue.push(sample);
        rendition.drain();
      }
    });
  }

  /** Publishes what waits for late audio. Called several times a second. `nowMs` is on a clock that only rises. */
  flushLate(nowMs: number): void {
    if (this.#input !== 'open') return;
    for (const rendition of this.#renditions) rendition.flushLate(nowMs);
  }

  /** FFmpeg has ended: publishes what is left and closes the segment. The epoch stays open for `hold`; the window closes it. */
  finish(): void {
    if (this.#input !== 'open') return;
    this.#input = 'finished';
    const end = Math.max(...this.#ends());
    for (const rendition of this.#renditions) rendition.finish(end);
    // All renditions end alike, and the part that was cut short is the last of its segment: no other may be (4.4.4.9).
    if (Number.isFinite(end)) for (const rendition of this.#renditions) rendition.holdTo(end);
    this.#endSegments();
  }

  /**
   * Appends a standing picture with silence to every rendition, as one part. Whatever FFmpeg still sends is ignored
   * from then on. False when no rendition ever had a key frame (or a sound), or the epoch is closed.
   * @param seconds at most the part target
   */
  hold(seconds: number): boolean {
    if (this.#windowEpoch.closed) return false;
    this.finish();
    const ends = this.#ends();
    if (ends.length === 0) return false;
    const start = this.#holdEnd ?? Math.max(...ends);
    if (this.#holdStart === undefined) {
      this.#segmentPlan.begin(start);
      this.#holdStart = start;
    }
    const end = start + secondsToTicks(seconds);
    this.#holdEnd = end;
    for (const rendition of this.#renditions) rendition.holdTo(end);
    if (end - this.#holdStart >= secondsToTicks(this.#options.segmentSeconds) - HOLD_ROUNDING_TICKS) {
      this.#endSegments();
      this.#holdStart = undefined;
    }
    return true;
  }

  /** Up to where each rendition has media, 90 kHz; none of those that have not begun. */
  #ends(): readonly number[] {
    return this.#renditions.flatMap(({ endTicks }) => (endTicks === undefined ? [] : [endTicks]));
  }

  #endSegments(): void {
    for (const rendition of this.#renditions) rendition.endSegment();
  }

  #addRendition(rendition: number): void {
    const { plan, window, segmentSeconds, exactGop = !plan.followsSource } = this.#options;
    const { mode, audioBitrate } = plan.renditions[rendition] ?? { mode: 'audio', audioBitrate: 0 };
    const audioPipe = plan.audioBitrates.indexOf(audioBitrate);
    const queue = new AudioQueue(plan.hasAudio && audioPipe >= 0);
    const { partTarget } = window.options;
    const context: RenditionContext = {
      rendition: this.#windowIndex(rendition),
      plan: this.#segmentPlan,
      epoch: this.#windowEpoch,
      audio: queue,
      partTarget,
    };
    if (mode === 'audio') {
      this.#renditions.push(new AudioRenditionPackager(context, segmentSeconds));
      this.#videoPipes.push(undefined);
      this.#publishInit(rendition, undefined);
    } else {
      const cutter = new VideoPartCutter({
        plan: this.#segmentPlan,
        partFrames: plan.partFrames,
        partTarget,
        ...(exactGop ? { gopFrames: plan.gopFrames } : {}),
      });
      this.#renditions.push(new VideoRenditionPackager(context, cutter));
      this.#videoPipes.push({ reader: new FragmentReader(), cutter });
    }
    const packager = this.#renditions.at(-1);
    if (packager !== undefined) this.#audioQueues[audioPipe]?.push({ queue, rendition: packager });
  }

  /** Index in the window of a rendition of the plan. */
  #windowIndex(rendition: number): number {
    return this.#options.window.options.renditions.findIndex(
      (name) => name === this.#options.plan.renditions[rendition]?.name,
    );
  }

  #publishInit(rendition: number, video: VideoTrackInit | undefined): void {
    const { plan, onTracks } = this.#options;
    const planned = plan.renditions[rendition];
    if (planned === undefined) return;
    const { name, audioBitrate } = planned;
    this.#windowEpoch.setInit(
      this.#windowIndex(rendition),
      buildInitSegment({ audioBitrate, ...(video === undefined ? {} : { video }) }),
    );
    this.#tracks.set(rendition, {
      name,
      codecs: video === undefined ? AAC_CODEC : `${video.codec},${AAC_CODEC}`,
      ...(video === undefined ? {} : { resolution: { width: video.width, height: video.height } }),
    });
    if (this.#tracks.size < plan.renditions.length) return;
    onTracks?.([...this.#tracks.entries()].toSorted(([one], [other]) => one - other).map(([, tracks]) => tracks));
  }

  /** An error ends its pipe alone and is told once. */
  #guard(pipe: 'video' | 'audio', index: number, work: () => void): void {
    const key = `${pipe} ${index}`;
    if (this.#input !== 'open' || this.#failed.has(key)) return;
    try {
      work();
    } catch (error) {
      this.#failed.add(key);
      if (pipe === 'video') this.#windowEpoch.abandon(this.#windowIndex(index));
      this.#options.onError(new PackageError(pipe, index, error));
    }
  }
}

/** Hold parts are given in seconds: a segment of them may fall this short of its target. */
const HOLD_ROUNDING_TICKS = 900;

/** Times are rounded one by one, so that no error adds up. */
function rescale(sample: Sample, timescale: number): Sample {
  const convert = (ticks: number): number => Math.round((ticks * VIDEO_TIMESCALE) / timescale);
  const dts = convert(sample.dts);
  return {
    ...sample,
    dts,
    compositionOffset: convert(sample.dts + sample.compositionOffset) - dts,
    duration: convert(sample.dts + sample.duration) - dts,
  };
}

/**
 * How far pictures are presented before they are decoded, 90 kHz. FFmpeg's CMAF muxer writes negative composition
 * offsets when there are B-frames; players on FFmpeg's demuxer then show the picture late against the sound.
 */
function reorderTicks(samples: readonly Sample[], reorderFrames = 0): number {
  // The first B-frame may come long after the first fragment: the codec header knows of it.
  const announced = reorderFrames * (samples[0]?.duration ?? 0);
  return samples.reduce((most, { compositionOffset }) => Math.max(most, -compositionOffset), announced);
}

/** The same presentation times, decoded `ticks` earlier. */
function shiftDecoding(sample: Sample, ticks: number): Sample {
  if (ticks === 0) return sample;
  return { ...sample, dts: sample.dts - ticks, compositionOffset: sample.compositionOffset + ticks };
}
