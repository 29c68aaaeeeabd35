/**
 * Derives from a source what one epoch's FFmpeg makes: which renditions, how large, at which rates, and whether the
 * top one is the source itself.
 */
import { parseRenditionName } from '../../contracts/ids.ts';
import type { RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan, FrameRate, RenditionPlan, SourceDescription, VideoSource } from './encode_plan.ts';
import { framesPerSecond } from './frame_rate.ts';
import type { LadderRung } from './ladder_rungs.ts';

export interface LadderSettings {
  /** Ascending, at least one. */
  readonly rungs: readonly LadderRung[];
  /** `copy` passes the source through as the top rendition when it fits; `encode` never does. */
  readonly top: 'copy' | 'encode';
  readonly segmentSeconds: number;
  readonly partSeconds: number;
  /** Only these of the derived renditions; when none of them is among the derived ones, the filter is not applied. */
  readonly only?: readonly RenditionName[] | undefined;
  /**
   * The names that the running session has already published, which are fixed for its life: the plan then makes those
   * of them that the source allows and no other. A source smaller than all of them is made at its own size under the
   * lowest name; names that do not suit the source at all (`audio` for a picture) are ignored.
   */
  readonly sessionNames?: readonly RenditionName[] | undefined;
}

/** A source may exceed its rung's highest bitrate by this much and still be passed through. */
const COPY_BITRATE_TOLERANCE = 1.15;
/** What a copied source of unknown peaks is taken to need above its average. */
const COPY_PEAK = 1.5;
/** Size of the VBV buffer in seconds of the bitrate: small, so that BANDWIDTH is a true and close bound. */
const BUFFER_SECONDS = 1;
/** Bits needed grow more slowly than pixels: rate ∝ pixels^0.75, a rule of thumb for H.264. */
const RATE_EXPONENT = 0.75;
const MIN_VIDEO_BITRATE = 100_000;
/** Samples per AAC frame, and the rate that all audio is encoded at. */
const AAC_FRAME_SAMPLES = 1024;
const AUDIO_RATE = 48_000;
/** What the container adds: fragment headers are 1.2 % at one fragment per part of 0.5 s at 0.5 Mb/s (docs/decisions). */
const CONTAINER_OVERHEAD = 1.02;

/** @throws RangeError when the source has neither video nor audio or the ladder no rung */
export function deriveLadder(source: SourceDescription, settings: LadderSettings): EncodePlan {
  const rungs = sessionRungs(settings.sessionNames ?? [], settings.rungs) ?? settings.rungs;
  const lowest = rungs[0];
  const highest = rungs.at(-1);
  if (lowest === undefined || highest === undefined) throw new RangeError('the ladder has no rung');
  const { video } = source;
  if (video === undefined) {
    if (source.audio === undefined) throw new RangeError('the source has neither video nor audio');
    return audioPlan(highest.audioBitrate, settings);
  }
  const fixed = rungs !== settings.rungs;
  const copy = settings.top === 'copy' ? copiedTop(video, source.videoBitrate, rungs, fixed) : undefined;
  const encoded = rungs
    .filter(
      (rung) => rung.shortSide <= shortSideOf(video) && (copy === undefined || rung.shortSide < shortSideOf(video)),
    )
    .map((rung) => scaledTo(video, rung));
  const all = copy === undefined ? encoded : [...encoded, copy];
  const renditions = filtered(all.length > 0 ? all : [atOwnSize(video, lowest, fixed)], settings.only);
  return {
    renditions,
    frameRate: video.frameRate,
    followsSource: renditions.some((rendition) => rendition.mode === 'copy'),
    ...cadence(video.frameRate, settings),
    audioBitrates: distinct(renditions.map((rendition) => rendition.audioBitrate)),
    hasAudio: source.audio !== undefined,
  };
}

/**
 * A bound that no segment of a rendition exceeds, bits per second, in the plan's order, for BANDWIDTH
 * (RFC 8216bis section 4.4.6.2): what a VBV of this size lets through in one segment, the audio, and the container.
 * For a copied rendition it rests on what the source is expected to send; the packager must measure it.
 */
export function peakBandwidth(plan: EncodePlan, segmentSeconds: number): readonly number[] {
  return plan.renditions.map((rendition) => {
    const video = rendition.mode === 'audio' ? 0 : rendition.maxRate + rendition.bufferSize / segmentSeconds;
    return Math.ceil((video + rendition.audioBitrate) * CONTAINER_OVERHEAD);
  });
}

/** The rungs that a session's names stand for, ascending; undefined when no name is a picture's. */
function sessionRungs(
  names: readonly RenditionName[],
  rungs: readonly LadderRung[],
): readonly LadderRung[] | undefined {
  const sides = names.flatMap((name) => (/^[1-9][0-9]{1,3}p$/.test(name) ? [Number(name.slice(0, -1))] : []));
  const found = sides.toSorted((a, b) => a - b).flatMap((side) => rungOfSide(side, rungs) ?? []);
  return found.length > 0 ? found : undefined;
}

/** The ladder's rung of this size, or one at the rates of the next higher one (else the highest), by its pixels. */
function rungOfSide(shortSide: number, rungs: readonly LadderRung[]): LadderRung | undefined {
  const rung = rungs.find((candidate) => candidate.shortSide >= shortSide) ?? rungs.at(-1);
  if (rung === undefined || rung.shortSide === shortSide) return rung;
  const share = (shortSide / rung.shortSide) ** (2 * RATE_EXPONENT);
  return {
    shortSide,
    videoBitrate: Math.max(MIN_VIDEO_BITRATE, Math.round(rung.videoBitrate * share)),
    maxRate: Math.max(MIN_VIDEO_BITRATE, Math.round(rung.maxRate * share)),
    audioBitrate: rung.audioBitrate,
  };
}

function shortSideOf(size: { readonly width: number; readonly height: number }): number {
  return Math.min(size.width, size.height);
}

/** The nearest even number, at least 2: 4:2:0 chroma has no half samples. */
function even(value: number): number {
  return Math.max(2, Math.round(value / 2) * 2);
}

function renditionName(shortSide: number): RenditionName {
  return parseRenditionName(`${shortSide}p`);
}

function scaledTo(video: VideoSource, rung: LadderRung): RenditionPlan {
  const factor = rung.shortSide / shortSideOf(video);
  const upright = video.height > video.width;
  const longSide = even(Math.max(video.width, video.height) * factor);
  return {
    name: renditionName(rung.shortSide),
    resolution: upright ? { width: rung.shortSide, height: longSide } : { width: longSide, height: rung.shortSide },
    mode: 'encode',
    ...rates(rung.videoBitrate, rung.maxRate),
    audioBitrate: rung.audioBitrate,
  };
}

/** One rendition for a source smaller than the lowest rung, at that rung's quality, named by its own short side or the rung's. */
function atOwnSize(video: VideoSource, lowest: LadderRung, keepName: boolean): RenditionPlan {
  const width = Math.floor(video.width / 2) * 2;
  const height = Math.floor(video.height / 2) * 2;
  const rungPixels = (lowest.shortSide * lowest.shortSide * 16) / 9;
  const share = Math.min(1, ((width * height) / rungPixels) ** RATE_EXPONENT);
  const videoBitrate = Math.max(
    Math.min(MIN_VIDEO_BITRATE, lowest.videoBitrate),
    Math.round(lowest.videoBitrate * share),
  );
  return {
    name: renditionName(keepName ? lowest.shortSide : Math.min(width, height)),
    resolution: { width, height },
    mode: 'encode',
    ...rates(videoBitrate, Math.round((videoBitrate * lowest.maxRate) / lowest.videoBitrate)),
    audioBitrate: lowest.audioBitrate,
  };
}

/**
 * The source itself in place of the lowest rung that is at least as large, when any browser can play it and its
 * bitrate is not out of proportion.
 */
function copiedTop(
  video: VideoSource,
  bitrate: number | undefined,
  rungs: readonly LadderRung[],
  exactly: boolean,
): RenditionPlan | undefined {
  const shortSide = shortSideOf(video);
  const rung = rungs.find((candidate) =>
    exactly ? candidate.shortSide === shortSide : candidate.shortSide >= shortSide,
  );
  if (!video.passThrough || rung === undefined) return undefined;
  if (bitrate !== undefined && bitrate > rung.maxRate * COPY_BITRATE_TOLERANCE) return undefined;
  const videoBitrate = bitrate ?? rung.videoBitrate;
  return {
    name: renditionName(shortSide),
    resolution: { width: video.width, height: video.height },
    mode: 'copy',
    ...rates(videoBitrate, Math.max(rung.maxRate, Math.round(videoBitrate * COPY_PEAK))),
    audioBitrate: rung.audioBitrate,
  };
}

function rates(videoBitrate: number, maxRate: number): Pick<RenditionPlan, 'videoBitrate' | 'maxRate' | 'bufferSize'> {
  return { videoBitrate, maxRate, bufferSize: Math.round(videoBitrate * BUFFER_SECONDS) };
}

function filtered(all: readonly RenditionPlan[], only: readonly RenditionName[] | undefined): readonly RenditionPlan[] {
  if (only === undefined) return all;
  const wanted = all.filter((rendition) => only.includes(rendition.name));
  return wanted.length > 0 ? wanted : all;
}

/** Frames per segment and per part; all parts but a segment's last are equally long, and the last is not longer. */
function cadence(frameRate: FrameRate, settings: LadderSettings): Pick<EncodePlan, 'gopFrames' | 'partFrames'> {
  const gopFrames = Math.max(1, Math.round(framesPerSecond(frameRate) * settings.segmentSeconds));
  const parts = Math.max(1, Math.round(settings.segmentSeconds / settings.partSeconds));
  return { gopFrames, partFrames: Math.ceil(gopFrames / parts) };
}

/** For audio alone the frames that are counted are AAC's, 1024 samples at 48 kHz. */
function audioPlan(audioBitrate: number, settings: LadderSettings): EncodePlan {
  return {
    renditions: [
      { name: parseRenditionName('audio'), mode: 'audio', videoBitrate: 0, maxRate: 0, bufferSize: 0, audioBitrate },
    ],
    followsSource: false,
    ...cadence({ numerator: AUDIO_RATE, denominator: AAC_FRAME_SAMPLES }, settings),
    audioBitrates: [audioBitrate],
    hasAudio: true,
  };
}

function distinct(values: readonly number[]): readonly number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}
