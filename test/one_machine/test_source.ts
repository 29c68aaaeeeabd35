/**
 * Test pictures with sound as FLV tags, made by FFmpeg once per process and then played in a loop by `PacedPublisher`:
 * a test of ten streams costs no encoder for its sources.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inspectAudioTag } from '../../transcoder/flv/audio_tag.ts';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { inspectVideoTag } from '../../transcoder/flv/video_tag.ts';
import { readFlv } from '../flv_reader.ts';

export interface TestSourceOptions {
  /** Pixels, default `320x180`: small enough that a ladder is the source alone. */
  readonly size?: string;
  /** Frames per second, default 30. */
  readonly rate?: number;
  /** Seconds between key frames, default 1. */
  readonly gopSeconds?: number;
  /** Seconds of media, default 10: whole GOPs, so that it can be repeated. */
  readonly seconds?: number;
  /** Bits per second, default 300,000. */
  readonly videoBitrate?: number;
  /** Pictures that do not compress, so that a small one reaches its bitrate. */
  readonly noisy?: boolean;
  /** Which tracks there are; default both. */
  readonly tracks?: 'both' | 'audio' | 'video';
  /** Leaves out what x264 says of its settings, so that nothing but the key frames tells of the GOP. */
  readonly withoutSei?: boolean;
}

export interface TestSource {
  /** Metadata and sequence headers. */
  readonly headers: readonly MediaTag[];
  /** Frames from time 0 on. */
  readonly frames: readonly MediaTag[];
  readonly durationMs: number;
}

const made = new Map<string, Promise<TestSource>>();

/** The same object for the same options. */
export function makeTestSource(options: TestSourceOptions = {}): Promise<TestSource> {
  const key = JSON.stringify(options, Object.keys(options).toSorted());
  const before = made.get(key);
  if (before !== undefined) return before;
  const making = generate(options);
  made.set(key, making);
  return making;
}

async function generate(options: TestSourceOptions): Promise<TestSource> {
  const { seconds = 10 } = options;
  const { stdout } = await promisify(execFile)('ffmpeg', ['-v', 'error', ...sourceArguments(options), 'pipe:1'], {
    encoding: 'buffer',
    maxBuffer: 256 * 1024 * 1024,
  });
  // The mark at the end of a file is not what a live encoder sends.
  const tags = readFlv(stdout).filter(
    (tag) => tag.kind !== 'video' || inspectVideoTag(tag.body)?.packet !== 'sequence-end',
  );
  return {
    headers: tags.filter((tag) => isHeader(tag)),
    frames: tags.filter((tag) => !isHeader(tag)),
    durationMs: seconds * 1000,
  };
}

/** FFmpeg's arguments but for the output's name. @param realTime at the pace of the clock, without an end */
export function sourceArguments(options: TestSourceOptions, realTime = false): readonly string[] {
  const { size = '320x180', rate = 30, gopSeconds = 1, seconds = 10, videoBitrate = 300_000 } = options;
  const { tracks = 'both', withoutSei = false, noisy = false } = options;
  const pattern = `testsrc2=size=${size}:rate=${rate}${noisy ? ',noise=alls=80:allf=t' : ''}`;
  const { picture, sound } = { picture: tracks !== 'audio', sound: tracks !== 'video' };
  const pace = realTime ? ['-re'] : [];
  const gop = String(Math.round(rate * gopSeconds));
  const bitrate = String(videoBitrate);
  const groups: readonly (readonly string[] | false)[] = [
    picture && [...pace, '-f', 'lavfi', '-i', pattern],
    sound && [...pace, '-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=4:sample_rate=48000'],
    !realTime && ['-t', String(seconds)],
    picture && ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
    picture && ['-g', gop, '-keyint_min', gop, '-sc_threshold', '0', '-threads', '1'],
    picture && ['-b:v', bitrate, '-maxrate', bitrate, '-bufsize', bitrate],
    picture && withoutSei && ['-bsf:v', 'filter_units=remove_types=6'],
    sound && ['-c:a', 'aac', '-b:a', '64k', '-ac', '2'],
    ['-f', 'flv'],
  ];
  return groups.flatMap((group) => group || []);
}

function isHeader({ kind, body }: MediaTag): boolean {
  if (kind === 'metadata') return true;
  return (kind === 'video' ? inspectVideoTag(body) : inspectAudioTag(body))?.packet === 'sequence-header';
}
