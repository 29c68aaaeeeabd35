/**
 * The packager against the real FFmpeg: what it makes of FFmpeg's pipes must decode without an error, with continuous
 * times, the sound in step with the picture, and playlists that an independent parser reads.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import * as HLS from 'hls-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import type { EncodePlan } from '../../transcoder/encode/encode_plan.ts';
import { EpochPackager } from '../../transcoder/package/epoch_packager.ts';
import type { PackageError, RenditionTracks } from '../../transcoder/package/epoch_packager.ts';
import { SegmentWindow } from '../../transcoder/package/segment_window.ts';
import type { PublishedSegment } from '../../transcoder/package/segment_window.ts';
import { StreamWindowView } from '../../transcoder/package/stream_window_view.ts';

HLS.setOptions({ strictMode: true });

const run = promisify(execFile);
const EPOCH = 7 as Epoch;
const NEVER = new AbortController().signal;
const LOW = 'low' as RenditionName;
const HIGH = 'high' as RenditionName;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-package-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function makeRendition(name: RenditionName, height: number): EncodePlan['renditions'][number] {
  return {
    name,
    resolution: { width: (height * 16) / 9, height },
    mode: 'encode',
    videoBitrate: 400_000,
    maxRate: 400_000,
    bufferSize: 400_000,
    audioBitrate: 96_000,
  };
}

function makePlan(hasAudio: boolean): EncodePlan {
  return {
    renditions: [makeRendition(LOW, 90), makeRendition(HIGH, 180)],
    frameRate: { numerator: 30, denominator: 1 },
    followsSource: false,
    gopFrames: 60,
    partFrames: 15,
    audioBitrates: [96_000],
    hasAudio,
  };
}

function words(text: string): string[] {
  return text.split(' ');
}

/** A fragmented MP4 on a pipe, as the encoder's arguments ask for it. */
function mp4Output(pipe: number, fragmentUs: number): string[] {
  const flags = '+cmaf+empty_moov+default_base_moof+frag_discont+skip_trailer+frag_keyframe';
  return words(
    `-movflags ${flags} -frag_duration ${fragmentUs} -flush_packets 1 -output_ts_offset 10 ` +
      `-video_track_timescale 90000 -f mp4 pipe:${pipe}`,
  );
}

/** A moving picture and a tone that beeps each second, `seconds` long: video on pipes 3 and 4, audio on pipe 5. */
function ffmpegArguments(seconds: number, hasAudio: boolean, x264: readonly string[]): string[] {
  const encode = [...words('-c:v libx264 -preset ultrafast -g 60 -keyint_min 60 -sc_threshold 0'), ...x264];
  const sound = words(`-f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000:duration=${seconds}`);
  const aac = words('-map 1:a -c:a aac -ac 2 -ar 48000 -b:a 96k');
  return [
    ...words('-hide_banner -loglevel error -nostdin -copyts'),
    ...words(`-f lavfi -i testsrc2=size=320x180:rate=30:duration=${seconds}`),
    ...(hasAudio ? sound : []),
    ...words('-map 0:v -s 160x90'),
    ...encode,
    ...mp4Output(3, 500_000),
    ...words('-map 0:v'),
    ...encode,
    ...mp4Output(4, 500_000),
    ...(hasAudio ? [...aac, ...mp4Output(5, 50_000)] : []),
  ];
}

/** As a publisher's encoder sends it: whole milliseconds, B-frames, a key frame each second. */
async function recordFlv(seconds: number): Promise<string> {
  const file = join(folder, `source-${seconds}.flv`);
  await run('ffmpeg', [
    ...words('-v error -y -f lavfi'),
    ...words(`-i testsrc2=size=320x180:rate=30:duration=${seconds} -f lavfi`),
    ...words(`-i sine=frequency=440:beep_factor=4:sample_rate=48000:duration=${seconds}`),
    ...words('-c:v libx264 -preset veryfast -bf 2 -g 30 -keyint_min 30 -sc_threshold 0 -c:a aac -ac 2 -f flv'),
    file,
  ]);
  return file;
}

/** The source copied to pipe 4, and encoded at its key frames to pipe 3. */
function copyArguments(source: string): string[] {
  return [
    ...words('-hide_banner -loglevel error -nostdin -copyts -i'),
    source,
    ...words('-map 0:v -s 160x90 -c:v libx264 -preset ultrafast -bf 0 -g 600 -sc_threshold 0'),
    ...words('-force_key_frames source -fps_mode passthrough -enc_time_base 1:90000'),
    ...mp4Output(3, 500_000),
    ...words('-map 0:v -c:v copy'),
    ...mp4Output(4, 500_000),
    ...words('-map 0:a -c:a aac -ac 2 -ar 48000 -b:a 96k -af aresample=async=1'),
    ...mp4Output(5, 50_000),
  ];
}

interface Packaged {
  readonly window: SegmentWindow;
  readonly packager: EpochPackager;
  readonly tracks: readonly RenditionTracks[];
  readonly segments: readonly PublishedSegment[];
  readonly errors: readonly PackageError[];
}

async function packageFromFfmpeg(plan: EncodePlan, ffmpeg: readonly string[]): Promise<Packaged> {
  const window = new SegmentWindow({
    streamId: 'demo' as StreamId,
    renditions: [LOW, HIGH],
    targetDuration: 2,
    partTarget: 0.5,
    carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    resumed: false,
  });
  const segments: PublishedSegment[] = [];
  window.onSegment((segment) => segments.push(segment));
  const errors: PackageError[] = [];
  let tracks: readonly RenditionTracks[] = [];
  const packager = new EpochPackager({
    epoch: EPOCH,
    plan,
    window,
    anchor: { mediaSeconds: 10, programDateTimeMs: Date.UTC(2026, 0, 1) },
    segmentSeconds: 2,
    onTracks: (found) => (tracks = found),
    onError: (error) => errors.push(error),
  });
  const child = spawn('ffmpeg', ffmpeg, {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe', 'pipe'],
  });
  const pipes: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  pipes[3]?.on('data', (chunk: Buffer) => packager.video(0, chunk));
  pipes[4]?.on('data', (chunk: Buffer) => packager.video(1, chunk));
  pipes[5]?.on('data', (chunk: Buffer) => packager.audio(0, chunk));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(0);
  packager.finish();
  return { window, packager, tracks, segments, errors };
}

function concatenate(packaged: Packaged, rendition: RenditionName): Buffer {
  const view = new StreamWindowView(packaged.window);
  const init = view.init(EPOCH, rendition) ?? [];
  const media = packaged.segments.filter((segment) => segment.rendition === rendition);
  return Buffer.concat([...init, ...media.flatMap((segment) => segment.data)]);
}

interface Packet {
  readonly codec_type: 'video' | 'audio';
  readonly pts_time: string;
  readonly dts_time: string;
  readonly duration_time: string;
  readonly flags: string;
}

async function probe(file: string): Promise<Packet[]> {
  const entries = 'packet=codec_type,pts_time,dts_time,duration_time,flags';
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', '-show_entries', entries, file], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return (JSON.parse(stdout) as { packets: Packet[] }).packets;
}

/** Decodes everything; FFmpeg's complaints, if any. */
async function decode(file: string): Promise<string> {
  const { stderr } = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', file, '-f', 'null', '-']);
  return stderr;
}

function largestStep(packets: readonly Packet[]): number {
  const times = packets.map((packet) => Number(packet.dts_time));
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0)));
}

/** Times of the loudest onsets (the beep of each second) after decoding to PCM. */
async function beepTimes(file: string): Promise<number[]> {
  const filter = 'bandpass=f=1760:w=100,silencedetect=noise=-26dB:d=0.3';
  const { stderr } = await run('ffmpeg', [
    '-hide_banner',
    '-copyts',
    '-i',
    file,
    '-vn',
    '-af',
    filter,
    '-f',
    'null',
    '-',
  ]);
  return [...stderr.matchAll(/silence_end: ([0-9.]+)/g)].map((match) => Number(match[1]));
}

describe.each([
  { name: 'without B-frames', x264: ['-bf', '0'] },
  { name: 'with B-frames', x264: ['-bf', '2', '-b_strategy', '0'] },
])('an encoded ladder $name', ({ x264 }) => {
  let packaged: Packaged;
  beforeAll(async () => {
    packaged = await packageFromFfmpeg(makePlan(true), ffmpegArguments(9, true, x264));
  });

  test('has the same segments of two seconds in both renditions', () => {
    expect(packaged.errors).toEqual([]);
    const of = (rendition: RenditionName): unknown[] =>
      packaged.segments
        .filter((segment) => segment.rendition === rendition)
        .map(({ msn, durationSeconds, programDateTimeMs }) => ({ msn, durationSeconds, programDateTimeMs }));
    expect(of(LOW)).toEqual(of(HIGH));
    expect(of(LOW).slice(0, 4)).toEqual(
      [0, 1, 2, 3].map((index) => ({
        msn: 100 + index,
        durationSeconds: 2,
        programDateTimeMs: Date.UTC(2026, 0, 1) + index * 2000,
      })),
    );
  });

  test('reports what the codec headers say', () => {
    expect(packaged.tracks.map((track) => track.resolution)).toEqual([
      { width: 160, height: 90 },
      { width: 320, height: 180 },
    ]);
    for (const { codecs } of packaged.tracks) expect(codecs).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
  });

  test.each([LOW, HIGH])('%s decodes without an error, with continuous times and the sound in step', async (name) => {
    const file = join(folder, `${name}-${x264[1]}.mp4`);
    await writeFile(file, concatenate(packaged, name));
    expect(await decode(file)).toBe('');
    const packets = await probe(file);
    const video = packets.filter((packet) => packet.codec_type === 'video');
    const audio = packets.filter((packet) => packet.codec_type === 'audio');
    expect(video).toHaveLength(270);
    expect(Number(video[0]?.pts_time)).toBeCloseTo(10, 3);
    expect(largestStep(video)).toBeLessThan(0.034);
    expect(Math.abs(Number(audio[0]?.pts_time) - 10)).toBeLessThan(0.022);
    expect(largestStep(audio)).toBeLessThan(0.0215);
    expect(Math.abs(Number(audio.at(-1)?.pts_time) - 19)).toBeLessThan(0.03);
    // The tone beeps at each whole second of the source, which begins at 10 s on the pipes' timeline.
    const beeps = await beepTimes(file);
    expect(beeps.length).toBeGreaterThanOrEqual(6);
    for (const beep of beeps) expect(Math.abs(beep - Math.round(beep))).toBeLessThan(0.03);
  });

  test('has playlists that an independent parser reads', async () => {
    const view = new StreamWindowView(packaged.window);
    const reply = await view.mediaPlaylist(LOW, { skip: false }, NEVER);
    expect(reply.outcome).toBe('playlist');
    if (reply.outcome !== 'playlist') return;
    const parsed = HLS.parse(reply.text);
    expect(parsed.isMasterPlaylist).toBe(false);
  });
});

test('a source without sound gets silence', async () => {
  const packaged = await packageFromFfmpeg(makePlan(false), ffmpegArguments(5, false, ['-bf', '0']));
  expect(packaged.errors).toEqual([]);
  const file = join(folder, 'silent.mp4');
  await writeFile(file, concatenate(packaged, HIGH));
  expect(await decode(file)).toBe('');
  const audio = (await probe(file)).filter((packet) => packet.codec_type === 'audio');
  expect(audio).toHaveLength(235);
  const { stderr } = await run('ffmpeg', ['-hide_banner', '-i', file, '-vn', '-af', 'volumedetect', '-f', 'null', '-']);
  expect(stderr).toMatch(/max_volume: -91.0 dB/);
});

test('a standing picture goes on where FFmpeg died, in whole segments', async () => {
  const packaged = await packageFromFfmpeg(makePlan(true), ffmpegArguments(3, true, ['-bf', '2', '-b_strategy', '0']));
  for (let part = 0; part < 9; part += 1) expect(packaged.packager.hold(0.5)).toBe(true);
  packaged.window.markEnded();
  const high = packaged.segments.filter((segment) => segment.rendition === HIGH);
  expect(high.map(({ msn, hold }) => ({ msn, hold }))).toEqual([
    { msn: 100, hold: false },
    { msn: 101, hold: false },
    { msn: 102, hold: true },
    { msn: 103, hold: true },
    { msn: 104, hold: true },
  ]);
  const file = join(folder, 'hold.mp4');
  await writeFile(file, concatenate(packaged, HIGH));
  expect(await decode(file)).toBe('');
  const packets = await probe(file);
  const audio = packets.filter((packet) => packet.codec_type === 'audio');
  expect(largestStep(audio)).toBeLessThan(0.0215);
  expect(Number(audio.at(-1)?.pts_time)).toBeGreaterThan(17.4);
});

test('a copied source and an encode that follows it have the same boundaries and decode', async () => {
  const plan: EncodePlan = { ...makePlan(true), followsSource: true };
  const packaged = await packageFromFfmpeg(plan, copyArguments(await recordFlv(9)));
  expect(packaged.errors).toEqual([]);
  const starts = (rendition: RenditionName): unknown[] =>
    packaged.segments
      .filter((segment) => segment.rendition === rendition)
      .map(({ msn, programDateTimeMs, durationSeconds, gap }) => ({
        msn,
        programDateTimeMs,
        seconds: Math.round(durationSeconds * 50) / 50,
        gap,
      }));
  expect(starts(LOW)).toHaveLength(5);
  expect(starts(LOW)).toEqual(starts(HIGH));
  for (const rendition of [LOW, HIGH]) {
    const file = join(folder, `copy-${rendition}.mp4`);
    await writeFile(file, concatenate(packaged, rendition));
    expect(await decode(file)).toBe('');
    const packets = await probe(file);
    const video = packets.filter((packet) => packet.codec_type === 'video');
    expect(video).toHaveLength(270);
    expect(largestStep(video)).toBeLessThan(0.036);
    expect(largestStep(packets.filter((packet) => packet.codec_type === 'audio'))).toBeLessThan(0.033);
    const reply = await new StreamWindowView(packaged.window).mediaPlaylist(rendition, { skip: false }, NEVER);
    expect(reply.outcome === 'playlist' && HLS.parse(reply.text).isMasterPlaylist).toBe(false);
  }
});
