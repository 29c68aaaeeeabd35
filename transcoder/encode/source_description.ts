/**
 * Describes what a publisher sends, from its sequence headers, its metadata and its first frames; refuses what cannot
 * be served, with a line that tells the publisher what to set.
 */
import { parseAacConfig } from '../flv/aac_config.ts';
import { inspectAudioTag } from '../flv/audio_tag.ts';
import type { AudioCodec } from '../flv/audio_tag.ts';
import { parseAvcConfig } from '../flv/avc_config.ts';
import type { AvcConfig } from '../flv/avc_config.ts';
import { CodecConfigError } from '../flv/codec_config_error.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { parseMetadata } from '../flv/metadata.ts';
import type { StreamMetadata } from '../flv/metadata.ts';
import { inspectVideoTag } from '../flv/video_tag.ts';
import type { VideoCodec } from '../flv/video_tag.ts';
import type { AudioSource, SourceDescription, VideoSource } from './encode_plan.ts';
import { decideFrameRate, framesPerSecond } from './frame_rate.ts';

/** What arrives cannot be served. The message is one line, for the publisher's screen and the log. */
export class UnsupportedSourceError extends Error {
  override readonly name = 'UnsupportedSourceError';
}

/** What is known when the encoder is to be started. At least one of the headers is needed. */
export interface SourceEvidence {
  /** The AVC sequence header, or the first video tag of another codec. */
  readonly videoHeader?: MediaTag | undefined;
  /** The AAC sequence header, or the first audio tag of another codec. */
  readonly audioHeader?: MediaTag | undefined;
  readonly metadata?: MediaTag | undefined;
  /** Decoding times of the first video frames, ms; may be empty. */
  readonly videoTimestampsMs?: readonly number[] | undefined;
  /** Video bits per second as measured, when they were; used when the metadata declares none. */
  readonly measuredVideoBitrate?: number | undefined;
}

const VIDEO_NAMES: Readonly<Record<VideoCodec, string>> = {
  h264: 'H.264',
  hevc: 'HEVC',
  av1: 'AV1',
  vp8: 'VP8',
  vp9: 'VP9',
  vvc: 'VVC',
  'sorenson-h263': 'Sorenson H.263',
  'screen-video': 'Screen Video',
  vp6: 'VP6',
  unknown: 'unknown',
};
const AUDIO_NAMES: Readonly<Record<AudioCodec, string>> = {
  aac: 'AAC',
  mp3: 'MP3',
  pcm: 'PCM',
  adpcm: 'ADPCM',
  g711: 'G.711',
  nellymoser: 'Nellymoser',
  speex: 'Speex',
  opus: 'Opus',
  flac: 'FLAC',
  'ac-3': 'AC-3',
  'e-ac-3': 'E-AC-3',
  unknown: 'unknown',
};
/** What every FFmpeg from 5.1 on decodes from FLV. */
const DECODABLE_AUDIO: ReadonlySet<AudioCodec> = new Set(['aac', 'mp3', 'pcm', 'adpcm', 'g711', 'nellymoser', 'speex']);
/** Baseline, Main and High: what every browser and phone decodes. */
const WEB_PROFILES: ReadonlySet<number> = new Set([66, 77, 100]);
const MIN_DIMENSION = 16;
const MAX_DIMENSION = 8192;
/** Highest frame rate that is passed through. */
const MAX_COPY_RATE = 60.5;

const VIDEO_ADVICE =
  'H.264 is wanted: in OBS set Settings > Output > Video Encoder to x264 or a hardware H.264 encoder';
const AUDIO_ADVICE = 'AAC is wanted: in OBS set Settings > Output > Audio Encoder to AAC';

/** @throws UnsupportedSourceError */
export function describeSource(evidence: SourceEvidence): SourceDescription {
  const metadata = evidence.metadata === undefined ? {} : parseMetadata(evidence.metadata.body);
  const video = evidence.videoHeader && describeVideo(evidence.videoHeader, metadata, evidence.videoTimestampsMs);
  const audio = evidence.audioHeader && describeAudio(evidence.audioHeader);
  if (video === undefined && audio === undefined) {
    throw new UnsupportedSourceError('neither video nor audio arrived: H.264 video or AAC audio is wanted');
  }
  const bitrate = metadata.videoBitrate ?? evidence.measuredVideoBitrate;
  return {
    ...(video && { video }),
    ...(audio && { audio }),
    ...(video && bitrate !== undefined && { videoBitrate: bitrate }),
  };
}

function describeVideo(
  header: MediaTag,
  metadata: StreamMetadata,
  timestampsMs: readonly number[] | undefined,
): VideoSource {
  const tag = inspectVideoTag(header.body);
  if (tag === undefined)
    throw new UnsupportedSourceError('the first video message is empty: a sequence header is wanted');
  if (tag.codec !== 'h264') {
    throw new UnsupportedSourceError(`${VIDEO_NAMES[tag.codec]} video arrived, ${VIDEO_ADVICE}`);
  }
  if (tag.packet !== 'sequence-header') {
    throw new UnsupportedSourceError('H.264 video arrived without its sequence header: restart the publisher');
  }
  const config = readHeader('H.264', () => parseAvcConfig(tag.data));
  // Square pixels, as displayed: an anamorphic source is widened.
  const width = hasSquarePixels(config) ? config.width : Math.round(config.width * config.sampleAspectRatio);
  const { height } = config;
  if (Math.min(width, height) < MIN_DIMENSION || Math.max(width, height) > MAX_DIMENSION) {
    throw new UnsupportedSourceError(
      `video of ${width}x${height} arrived, wanted from ${MIN_DIMENSION} to ${MAX_DIMENSION} pixels a side`,
    );
  }
  const frameRate = decideFrameRate({ metadata: metadata.frameRate, bitstream: config.frameRate, timestampsMs });
  const declared = metadata.frameRate ?? config.frameRate ?? framesPerSecond(frameRate);
  return {
    codec: 'h264',
    width,
    height,
    codecString: config.codecString,
    passThrough: playsAsItIs(config) && declared <= MAX_COPY_RATE,
    frameRate,
  };
}

function playsAsItIs(config: AvcConfig): boolean {
  return (
    WEB_PROFILES.has(config.profile) &&
    config.chromaFormat === 1 &&
    config.bitDepth === 8 &&
    config.progressive &&
    hasSquarePixels(config)
  );
}

/** Within what rounding a scaled size to whole pixels does: 854x480 of 16:9 has samples of 1280:1281. */
function hasSquarePixels(config: AvcConfig): boolean {
  return Math.abs(config.sampleAspectRatio - 1) < 0.01;
}

function describeAudio(header: MediaTag): AudioSource {
  const tag = inspectAudioTag(header.body);
  if (tag === undefined)
    throw new UnsupportedSourceError('the first audio message is empty: a sequence header is wanted');
  if (!DECODABLE_AUDIO.has(tag.codec) || (tag.enhanced && tag.codec !== 'aac')) {
    throw new UnsupportedSourceError(`${AUDIO_NAMES[tag.codec]} audio arrived, ${AUDIO_ADVICE}`);
  }
  if (tag.codec !== 'aac') {
    return { codec: tag.codec === 'mp3' ? 'mp3' : 'other', sampleRate: tag.sampleRate, channels: tag.channels };
  }
  if (tag.packet !== 'sequence-header') {
    throw new UnsupportedSourceError('AAC audio arrived without its sequence header: restart the publisher');
  }
  const config = readHeader('AAC', () => parseAacConfig(tag.data));
  return { codec: 'aac', sampleRate: config.sampleRate, channels: config.channels };
}

function readHeader<Config>(name: string, parse: () => Config): Config {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof CodecConfigError)) throw error;
    throw new UnsupportedSourceError(`the ${name} sequence header cannot be read: ${error.message}`, { cause: error });
  }
}
