/**
 * FAULTS, media: FFmpegs that die and hang, sources that lie, jump, change and lack a track. hls.js in Chromium watches.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../one_machine/eventually.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { watchWithPlayer } from './fault_player.ts';
import type { FaultPlayer } from './fault_player.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';

const STREAMS = 'killed hangs hostile neighbour gop-60 jumps resized audio-only video-only'.split(' ');
const HOUR_MS = 3_600_000;

let stage: Stage;
let source: TestSource;
let player: FaultPlayer | undefined;

beforeAll(async () => {
  [stage, source] = await Promise.all([Stage.open(STREAMS), makeTestSource()]);
});

afterEach(async () => {
  await player?.close();
  player = undefined;
});

afterAll(async () => {
  await stage.close();
});

const watch = async (streamId: string): Promise<FaultPlayer> => {
  player = await watchWithPlayer(`${stage.origin}/${streamId}/live.m3u8`);
  return player;
};

test('row 1: kill -9 the FFmpeg of a live stream', async () => {
  await stage.publish('killed', { source });
  const viewer = stage.follow('killed');
  const watching = await watch('killed');
  process.kill(await stage.encoderOf('killed'), 'SIGKILL');
  await viewer.waitFor('another epoch', 15_000, () => viewer.epochs.length === 2);
  await watching.playsOn(6, 30_000);
  const stalled = await watching.stalledMs();
  expect(stalled).toBeLessThanOrEqual(8000);
  expect(await watching.fatalErrors()).toEqual([]);
  expect(viewer.epochs[1]?.segments[0]?.discontinuity).toBe(true);
  expect(viewer.violations).toEqual([]);
  await reportFault({ row: '1', measured: `stall ${seconds(stalled)}` });
});

test('row 2: FFmpeg hangs', async () => {
  await stage.publish('hangs', { source });
  const viewer = stage.follow('hangs');
  const watching = await watch('hangs');
  const pid = await stage.encoderOf('hangs');
  process.kill(pid, 'SIGSTOP');
  const from = performance.now();
  await viewer.waitFor('another epoch', 20_000, () => viewer.epochs.length === 2);
  const replaced = performance.now() - from;
  expect(replaced).toBeLessThanOrEqual(10_000);
  await watching.playsOn(6, 30_000);
  expect(await watching.fatalErrors()).toEqual([]);
  await reportFault({
    row: '2',
    measured: `replaced after ${seconds(replaced)}, stall ${seconds(await watching.stalledMs())}`,
  });
});

test('row 6: hostile metadata and codec headers fail their stream alone', async (context) => {
  needsFull(context);
  await stage.publish('neighbour', { source });
  const neighbour = stage.follow('neighbour');
  const watching = await watch('neighbour');
  const hostileTags = [
    { kind: 'metadata', body: Buffer.from('02000a6f6e4d65746144617461080fffffff', 'hex') },
    { kind: 'video', body: Buffer.concat([Buffer.from('1700000000', 'hex'), Buffer.alloc(3000, 0xff)]) },
    { kind: 'video', body: Buffer.from('17000000000142c01effe1ffff', 'hex') },
    { kind: 'audio', body: Buffer.from('af00ffffffffffff', 'hex') },
    { kind: 'video', body: Buffer.concat([Buffer.from('1701000000', 'hex'), Buffer.alloc(20_000, 0xa5)]) },
  ] as const;
  const hostile = await stage.publish('hostile', { source });
  for (let round = 0; round < 20; round += 1) {
    for (const tag of hostileTags) if (!hostile.rtmp.isClosed) hostile.rtmp.send({ ...tag, timestampMs: round * 40 });
  }
  await watching.playsOn(8, 40_000);
  const stalled = await watching.stalledMs();
  expect(stalled).toBeLessThan(2000);
  expect(await watching.fatalErrors()).toEqual([]);
  expect(neighbour.epochs).toHaveLength(1);
  expect(neighbour.violations).toEqual([]);
  await hostile.reset();
  await reportFault({ row: '6', measured: `the neighbour's stall ${seconds(stalled)}` });
});

test('row 7: key frames 60 s apart are cut every 2 s', async (context) => {
  needsFull(context);
  const far = await makeTestSource({ gopSeconds: 60, seconds: 60, rate: 10 });
  await stage.publish('gop-60', { source: far });
  const viewer = stage.follow('gop-60');
  await viewer.waitForSegments(6, 60_000);
  const lengths = viewer.epochs.at(-1)?.segments.flatMap(({ duration }) => duration ?? []) ?? [];
  for (const length of lengths.slice(0, -1)) expect(length).toBeCloseTo(2, 1);
  expect(viewer.targetDuration).toBe(2);
  await reportFault({ row: '7', measured: `segments of ${Math.max(...lengths).toFixed(2)} s at most` });
});

test('row 8: timestamps jump by an hour and back to 0', async () => {
  const publisher = await stage.publish('jumps', { source, firstTimestampMs: 2 * HOUR_MS });
  const viewer = stage.follow('jumps');
  const watching = await watch('jumps');
  const jumps = [
    () => publisher.shiftTimestamps(HOUR_MS),
    () => publisher.shiftTimestamps(-HOUR_MS),
    () => publisher.restartTimestampsAt(0),
  ];
  let worstDate = 0;
  for (const [index, jump] of jumps.entries()) {
    jump();
    const enough = () => (viewer.epochs[index + 1]?.segments.length ?? 0) >= 2;
    await viewer.waitFor(`epoch ${index + 2}`, 30_000, enough);
    await watching.playsOn(4, 30_000);
    const newest = viewer.segments.at(-1)?.programDateTimeMs ?? 0;
    worstDate = Math.max(worstDate, Math.abs(Date.now() - newest));
  }
  const stalled = await watching.stalledMs();
  expect(stalled).toBeLessThanOrEqual(8000);
  expect(worstDate).toBeLessThan(6000);
  expect(await watching.fatalErrors()).toEqual([]);
  await reportFault({ row: '8', measured: `stall ${seconds(stalled)}` });
});

test('row 9: the source changes its size mid-way', async (context) => {
  needsFull(context);
  const other = await makeTestSource({ size: '480x270' });
  const publisher = await stage.publish('resized', { source });
  const viewer = stage.follow('resized');
  const watching = await watch('resized');
  publisher.switchTo(other);
  await viewer.waitFor('another epoch', 20_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 2);
  await watching.playsOn(6, 30_000);
  const stalled = await watching.stalledMs();
  expect(stalled).toBeLessThanOrEqual(8000);
  expect(viewer.epochs[1]?.map).not.toBe(viewer.epochs[0]?.map);
  expect(await watching.fatalErrors()).toEqual([]);
  await reportFault({ row: '9', measured: `stall ${seconds(stalled)}` });
});

test.for(['audio', 'video'] as const)('row 10: %s alone plays', async (tracks, context) => {
  needsFull(context);
  await stage.publish(`${tracks}-only`, { source: await makeTestSource({ tracks }) });
  const watching = await watch(`${tracks}-only`);
  await watching.playsOn(5, 30_000);
  expect(await watching.fatalErrors()).toEqual([]);
  await reportFault({ row: '10', measured: 'plays' });
});

describe('an FFmpeg that', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headwater-faults-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  test('row 3: dies at every start ends its stream with a reason', async (context) => {
    needsFull(context);
    const ffmpeg = join(folder, 'ffmpeg');
    // Listings work, media does not.
    const lines = ['#!/bin/sh', 'case "$*" in *pipe:0*) exit 1 ;; esac', 'exec ffmpeg "$@"', ''];
    await writeFile(ffmpeg, lines.join('\n'), { mode: 0o755 });
    const broken = await Stage.open(['dying'], { HW_FFMPEG: ffmpeg });
    try {
      const publisher = await broken.publish('dying', { source });
      const from = performance.now();
      await eventually('the publisher is told', 40_000, () => publisher.rtmp.statuses.at(-1)?.level === 'error');
      const told = performance.now() - from;
      expect(told).toBeLessThanOrEqual(30_000);
      expect(broken.log('dying').at(-1)?.reason).toMatch(/encoder/);
      await reportFault({ row: '3', measured: `ended after ${seconds(told)}` });
    } finally {
      await broken.close();
    }
  });
});
