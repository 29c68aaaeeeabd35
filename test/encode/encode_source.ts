/**
 * Makes test sources with FFmpeg and runs them, tag by tag, through an encoder: what comes out of each pipe, read back.
 */
import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { EncodePlan, SourceDescription } from '../../transcoder/encode/encode_plan.ts';
import { startEncoder } from '../../transcoder/encode/encoder.ts';
import type { EncoderExit } from '../../transcoder/encode/encoder.ts';
import { deriveLadder } from '../../transcoder/encode/ladder.ts';
import { DEFAULT_LADDER } from '../../transcoder/encode/ladder_rungs.ts';
import { describeSource } from '../../transcoder/encode/source_description.ts';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { inspectVideoTag } from '../../transcoder/flv/video_tag.ts';
import { readFlv } from '../flv_reader.ts';
import { readFragments } from './fragment_reader.ts';
import type { Track } from './fragment_reader.ts';

/** Media time at which the first key frame is put, ms: what ingest does to every epoch. */
export const FIRST_KEY_FRAME_MS = 1000;

/** FLV from FFmpeg's generators. `args` are input and codec options; the output is FLV on stdout. */
export function makeSource(args: readonly string[]): MediaTag[] {
  const file = execFileSync('ffmpeg', ['-v', 'error', ...args, '-f', 'flv', 'pipe:1'], {
    maxBuffer: 256 * 1024 * 1024,
  });
  return rebased(readFlv(file));
}

/** Shifts all timestamps so that the first key frame decodes at 1000 ms; headers get the time of what follows them. */
export function rebased(tags: readonly MediaTag[]): MediaTag[] {
  const first =
    tags.find((tag) => tag.kind === 'video' && inspectVideoTag(tag.body)?.keyFrame === true) ??
    tags.find((tag) => tag.kind === 'audio');
  const shift = FIRST_KEY_FRAME_MS - (first?.timestampMs ?? 0);
  return tags.map((tag) => ({ ...tag, timestampMs: tag.timestampMs + shift }));
}

export function describeTags(tags: readonly MediaTag[]): SourceDescription {
  const frames = tags.filter((tag) => tag.kind === 'video' && inspectVideoTag(tag.body)?.packet === 'frame');
  return describeSource({
    videoHeader: tags.find((tag) => tag.kind === 'video'),
    audioHeader: tags.find((tag) => tag.kind === 'audio'),
    metadata: tags.find((tag) => tag.kind === 'metadata'),
    videoTimestampsMs: frames.slice(0, 30).map((tag) => tag.timestampMs),
  });
}

export interface EncodeResult {
  readonly source: SourceDescription;
  readonly plan: EncodePlan;
  readonly video: readonly Track[];
  readonly audio: readonly Track[];
  readonly posters: readonly Buffer[];
  readonly exit: EncoderExit;
  readonly droppedTags: number;
  /** The pipes' bytes as they came, by rendition and by AAC bitrate. */
  readonly bytes: { readonly video: readonly Buffer[]; readonly audio: readonly Buffer[] };
}

function readAll(files: readonly Buffer[]): Track[] {
  return files.filter((file) => file.length > 0).map((file) => readFragments(file));
}

/** Runs all tags through FFmpeg as fast as it takes them. */
export async function encodeTags(
  tags: readonly MediaTag[],
  options: { readonly top?: 'copy' | 'encode'; readonly ffmpeg?: string } = {},
): Promise<EncodeResult> {
  const source = describeTags(tags);
  const plan = deriveLadder(source, {
    rungs: DEFAULT_LADDER,
    top: options.top ?? 'encode',
    segmentSeconds: 2,
    partSeconds: 0.5,
  });
  const video: Buffer[][] = plan.renditions.map(() => []);
  const audio: Buffer[][] = plan.audioBitrates.map(() => []);
  const posters: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<EncoderExit>();
  const encoder = startEncoder({
    ffmpeg: options.ffmpeg ?? process.env['HW_FFMPEG'] ?? 'ffmpeg',
    plan,
    monotonicMs: () => performance.now(),
    endDeadlineMs: 60_000,
    outputs: {
      onVideo: (index, chunk) => video[index]?.push(chunk),
      onAudio: (index, chunk) => audio[index]?.push(chunk),
      onPoster: (picture) => posters.push(picture),
      onExit: resolve,
    },
  });
  for (const tag of tags) encoder.write(tag);
  encoder.end();
  const exit = await promise;
  const bytes = {
    video: video.map((chunks) => Buffer.concat(chunks)),
    audio: audio.map((chunks) => Buffer.concat(chunks)),
  };
  const { droppedTags } = encoder.stats();
  return { source, plan, video: readAll(bytes.video), audio: readAll(bytes.audio), posters, exit, droppedTags, bytes };
}
