/**
 * A session that goes on: publishers that vanish and come back, FFmpegs that die and hang, connections that nobody
 * closes; and one that ends when it should. A checking viewer watches each of them.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RtmpRefused } from '../rtmp_publisher.ts';
import type { CheckingViewer } from './checking_viewer.ts';
import { childrenOf } from './child_processes.ts';
import { eventually } from './eventually.ts';
import { startFreezingProxy } from './freezing_proxy.ts';
import type { PacedPublisher } from './paced_publisher.ts';
import { Stage } from './stage.ts';
import { makeTestSource } from './test_source.ts';
import type { TestSource } from './test_source.ts';

/** Apple's players give up after 1.5 target durations without a new segment, ms. */
const FROZEN_MS = 3000;
/** FAULTS: the longest that a viewer may stand still when an FFmpeg dies, ms. */
const STALL_MS = 8000;

let source: TestSource;
let folder: string;

beforeAll(async () => {
  source = await makeTestSource();
  folder = await mkdtemp(join(tmpdir(), 'headwater-continuity-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until the viewer has seen so many segments of the n-th epoch that it sees. */
function segmentsOfEpoch(viewer: CheckingViewer, epoch: number, count: number): Promise<void> {
  const what = `${count} segments of epoch ${epoch}`;
  return viewer.waitFor(what, 30_000, () => (viewer.epochs[epoch - 1]?.segments.length ?? 0) >= count);
}

describe.concurrent('a session goes on', () => {
  const STREAMS = ['away-1', 'away-4', 'often', 'killed', 'bystander', 'stopped', 'half-open', 'ladder'];
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open(STREAMS, { HW_RECONNECT_WINDOW: '20' });
  });

  afterAll(async () => {
    await stage.close();
  });

  test.each([1, 4])('when its publisher is reset and back after %i s', async (seconds) => {
    const streamId = `away-${seconds}`;
    const first = await stage.publish(streamId, { source });
    const viewer = stage.follow(streamId);
    await viewer.waitForSegments(3, 20_000);
    const before = await stage.status(streamId);
    await first.reset();
    const lastBefore = viewer.lastMsn ?? 0;
    await after(seconds * 1000);
    const lastWhileAway = viewer.lastMsn ?? 0;
    await stage.publish(streamId, { source });
    await segmentsOfEpoch(viewer, 2, 3);
    const status = await stage.status(streamId);
    expect(status).toMatchObject({ live: true, state: 'live', sessionId: before?.sessionId });
    expect(viewer.epochs).toHaveLength(2);
    expect(viewer.epochs[1]?.segments[0]?.discontinuity).toBe(true);
    // Longer than a target duration away: at least one segment was begun meanwhile.
    expect(lastWhileAway - lastBefore).toBeGreaterThanOrEqual(seconds > 3 ? 1 : 0);
    expect(viewer.longestWithoutSegmentMs).toBeLessThan(FROZEN_MS);
    expect(await viewer.verdict()).toEqual([]);
  });

  test('however often its publisher comes and goes, and counts that for those who come later', async () => {
    const viewer = stage.follow('often');
    for (let round = 1; round <= 3; round += 1) {
      const publisher = await stage.publish('often', { source });
      await segmentsOfEpoch(viewer, round, 2);
      if (round < 3) await publisher.reset();
    }
    const epochs = viewer.epochs.map((epoch) => epoch.segments[0]?.msn ?? 0);
    // Once the last DISCONTINUITY has left the playlist, its number stands in the header.
    const text = await eventually('the first epochs have left the playlist', 100_000, async () => {
      const reply = await fetch(`${stage.origin}/often/180p/index.m3u8`);
      const body = await reply.text();
      return !body.includes('#EXT-X-DISCONTINUITY\n') && body;
    });
    expect(Number(/#EXT-X-MEDIA-SEQUENCE:([0-9]+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(epochs[2] ?? Infinity);
    expect(text).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:2\n');
    expect(viewer.violations).toEqual([]);
  });

  test('when its FFmpeg is killed, and its neighbour does not notice', async () => {
    await Promise.all([stage.publish('killed', { source }), stage.publish('bystander', { source })]);
    const viewer = stage.follow('killed');
    const bystander = stage.follow('bystander');
    await Promise.all([viewer.waitForSegments(3, 20_000), bystander.waitForSegments(3, 20_000)]);
    bystander.resetClocks();
    process.kill(await stage.encoderOf('killed'), 'SIGKILL');
    await segmentsOfEpoch(viewer, 2, 3);
    expect(viewer.epochs[1]?.segments[0]?.discontinuity).toBe(true);
    expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
    expect(viewer.longestWithoutSegmentMs).toBeLessThan(FROZEN_MS);
    expect(bystander.epochs).toHaveLength(1);
    expect(bystander.longestQuietMs).toBeLessThan(FROZEN_MS);
    expect([...(await viewer.verdict()), ...(await bystander.verdict())]).toEqual([]);
  });

  test('in step in all renditions, through a kill and an absence', async () => {
    const ladder = await makeTestSource({ size: '854x480', rate: 15, gopSeconds: 2 });
    const first = await stage.publish('ladder', { source: ladder });
    const viewers = ['360p', '480p'].map((rendition) => stage.follow('ladder', rendition));
    await Promise.all(viewers.map((viewer) => viewer.waitForSegments(2, 30_000)));
    process.kill(await stage.encoderOf('ladder'), 'SIGKILL');
    await Promise.all(viewers.map((viewer) => segmentsOfEpoch(viewer, 2, 2)));
    await first.reset();
    await after(2500);
    await stage.publish('ladder', { source: ladder });
    await Promise.all(viewers.map((viewer) => segmentsOfEpoch(viewer, 3, 3)));
    const [low, high] = await Promise.all(
      viewers.map(async (viewer) => {
        expect(await viewer.verdict()).toEqual([]);
        return new Map(
          viewer.wholeSegments.map(({ msn, duration = 0, programDateTimeMs, discontinuity, gap }) => [
            msn,
            // RTMP's milliseconds and the encoder's exact times: the last picture may end a moment apart.
            { hundredths: Math.round(duration * 100), programDateTimeMs, discontinuity, gap },
          ]),
        );
      }),
    );
    const common = [...(low?.keys() ?? [])].filter((msn) => high?.has(msn) === true);
    expect(common.length).toBeGreaterThanOrEqual(6);
    for (const msn of common) expect({ msn, ...low?.get(msn) }).toEqual({ msn, ...high?.get(msn) });
  });

  test('when its FFmpeg hangs', async () => {
    await stage.publish('stopped', { source });
    const viewer = stage.follow('stopped');
    await viewer.waitForSegments(2, 20_000);
    const hanging = await stage.encoderOf('stopped');
    process.kill(hanging, 'SIGSTOP');
    await viewer.waitFor('another epoch', 10_000, () => viewer.epochs.length === 2);
    await eventually('the one that hangs is gone', 5000, () => !childrenOf(stage.machine.pid).includes(hanging));
    await segmentsOfEpoch(viewer, 2, 2);
    expect(await viewer.verdict()).toEqual([]);
  });

  test('when the network swallowed its publisher: the next connection takes over', async () => {
    const proxy = await startFreezingProxy(stage.machine.ports.rtmp);
    await stage.publish('half-open', { source, port: proxy.port });
    const viewer = stage.follow('half-open');
    await viewer.waitForSegments(2, 20_000);
    const before = await stage.status('half-open');
    proxy.freeze();
    // Encoders try again until they are let in.
    const second = await eventually<PacedPublisher>('a new connection is let in', 15_000, async () => {
      try {
        return await stage.publish('half-open', { source });
      } catch (error) {
        if (error instanceof RtmpRefused) return undefined;
        throw error;
      }
    });
    await segmentsOfEpoch(viewer, 2, 2);
    expect(second.rtmp.isClosed).toBe(false);
    expect((await stage.status('half-open'))?.sessionId).toBe(before?.sessionId);
    expect(viewer.longestWithoutSegmentMs).toBeLessThan(STALL_MS);
    expect(await viewer.verdict()).toEqual([]);
    proxy.close();
  });
});

describe.concurrent('a session ends', () => {
  const STREAMS = ['goodbye', 'lost', 'dying', 'never'];
  let stage: Stage;
  let broken: string;

  beforeAll(async () => {
    // The real FFmpeg for all listings; for media one that dies as long as a file of the stream's frame rate is there.
    broken = join(folder, 'broken');
    const ffmpeg = join(folder, 'ffmpeg');
    const lines = ['#!/bin/sh', `case "$*" in *pipe:0*) [ -e "${broken}" ] && exit 1 ;; esac`, 'exec ffmpeg "$@"', ''];
    await writeFile(ffmpeg, lines.join('\n'), { mode: 0o755 });
    stage = await Stage.open(STREAMS, {
      HW_FFMPEG: ffmpeg,
      HW_RECONNECT_WINDOW: '3',
      HW_GOODBYE_WINDOW: '2',
    });
  });

  afterAll(async () => {
    await stage.close();
  });

  test.each([
    ['goodbye', 2000],
    ['lost', 3000],
  ] as const)('%s: after its window, and the next one is another session', async (streamId, windowMs) => {
    const first = await stage.publish(streamId, { source });
    const viewer = stage.follow(streamId);
    await viewer.waitForSegments(2, 20_000);
    const before = await stage.status(streamId);
    const encoder = await stage.encoderOf(streamId);
    await (streamId === 'goodbye' ? first.sayGoodbye() : first.reset());
    const leftAtMs = performance.now();
    await eventually('its FFmpeg is gone', 5000, () => !childrenOf(stage.machine.pid).includes(encoder));
    await viewer.waitFor('ENDLIST', windowMs + 5000, () => viewer.ended);
    expect(performance.now() - leftAtMs).toBeGreaterThan(windowMs - 100);
    expect(await stage.status(streamId)).toMatchObject({ live: false, state: 'ended' });
    expect(await viewer.verdict()).toEqual([]);

    await stage.publish(streamId, { source });
    const next = await eventually('the next session', 15_000, async () => {
      const status = await stage.status(streamId);
      return status?.live === true && status.renditions.length > 0 && status;
    });
    expect(next.sessionId).not.toBe(before?.sessionId);
    const heir = stage.follow(streamId);
    await heir.waitFor('a live playlist', 15_000, () => heir.segments.length > 0 && !heir.ended);
    expect(heir.segments[0]?.msn).toBeGreaterThan(viewer.lastMsn ?? Infinity);
  });

  test('when every FFmpeg dies: with a reason, for the publisher and for viewers', async () => {
    // The two above need a working one for their second half.
    const publisher = await stage.publish('dying', { source });
    const viewer = stage.follow('dying');
    await viewer.waitForSegments(2, 20_000);
    await eventually('the others have what they need', 60_000, () =>
      ['goodbye', 'lost'].every(
        (streamId) => stage.log(streamId).filter((line) => line.msg === 'media is out').length === 2,
      ),
    );
    await writeFile(broken, '');
    process.kill(await stage.encoderOf('dying'), 'SIGKILL');
    const rejected = await eventually(
      'the publisher is told',
      30_000,
      () => publisher.rtmp.statuses.at(-1)?.level === 'error' && publisher.rtmp.statuses.at(-1),
    );
    expect(rejected.description).toMatch(/encoder/);
    await viewer.waitFor('ENDLIST', 30_000, () => viewer.ended);
    await publisher.rtmp.closed;
    expect(await viewer.verdict()).toEqual([]);

    const never = await stage.publish('never', { source });
    await never.rtmp.closed;
    expect(never.rtmp.statuses.at(-1)).toMatchObject({ level: 'error' });
    expect((await stage.status('never'))?.live).not.toBe(true);
    expect(stage.log('never').at(-1)).toMatchObject({ msg: 'the session has ended' });
    expect(stage.log('never').at(-1)?.reason).toMatch(/encoder/);
  });
});
