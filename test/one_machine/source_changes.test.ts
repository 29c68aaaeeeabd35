/**
 * Sources that are not as they should be, or do not stay as they were: timestamps that jump and wrap, another picture
 * size, tracks that are late or missing, key frames far apart. A checking viewer watches each of them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CheckingViewer } from './checking_viewer.ts';
import { decodeMedia } from './epoch_decoder.ts';
import { eventually } from './eventually.ts';
import { Stage } from './stage.ts';
import { makeTestSource } from './test_source.ts';
import type { TestSource, TestSourceOptions } from './test_source.ts';

const HOUR_MS = 3_600_000;
/** FAULTS rows 8 and 9: the longest that a viewer may stand still, ms. */
const STALL_MS = 8000;
const STREAMS = 'jumps wraps resized turned late-audio audio-only video-only gop-10 gop-3 gop-10-unsaid'.split(' ');

let stage: Stage;
let source: TestSource;

beforeAll(async () => {
  [stage, source] = await Promise.all([Stage.open(STREAMS, { HW_GOODBYE_WINDOW: '0' }), makeTestSource()]);
});

afterAll(async () => {
  await stage.close();
});

function segmentsOfEpoch(viewer: CheckingViewer, epoch: number, count: number): Promise<void> {
  const what = `${count} segments of epoch ${epoch}`;
  return viewer.waitFor(what, 30_000, () => (viewer.epochs[epoch - 1]?.segments.length ?? 0) >= count);
}

/** How far the newest segment's date is from the clock, ms: it was begun a moment ago. */
function dateError(viewer: CheckingViewer): number {
  return Date.now() - (viewer.segments.at(-1)?.programDateTimeMs ?? 0);
}

describe.concurrent('timestamps', () => {
  test('that jump begin another epoch, and the dates stay right', async () => {
    const publisher = await stage.publish('jumps', { source, firstTimestampMs: 2 * HOUR_MS });
    const viewer = stage.follow('jumps');
    await viewer.waitForSegments(2, 20_000);
    const jumps = [
      () => publisher.shiftTimestamps(HOUR_MS),
      () => publisher.shiftTimestamps(-HOUR_MS),
      () => publisher.restartTimestampsAt(0),
    ];
    for (const [index, jump] of jumps.entries()) {
      jump();
      await segmentsOfEpoch(viewer, index + 2, 2);
      expect(dateError(viewer)).toBeGreaterThan(-1500);
      expect(dateError(viewer)).toBeLessThan(5000);
    }
    expect(viewer.epochs).toHaveLength(jumps.length + 1);
    expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
    expect(publisher.rtmp.isClosed).toBe(false);
    expect(await viewer.verdict()).toEqual([]);
  });

  test('that wrap at 2^32 ms go on', async () => {
    await stage.publish('wraps', { source, firstTimestampMs: 2 ** 32 - 3500 });
    const viewer = stage.follow('wraps');
    await viewer.waitForSegments(5, 30_000);
    expect(viewer.epochs).toHaveLength(1);
    const [epoch] = viewer.epochs;
    expect(await viewer.verdict()).toEqual([]);
    const { tracks } = await decodeMedia(epoch === undefined ? [] : await viewer.mediaOfEpoch(epoch));
    for (const { kind, times } of tracks) {
      const longest = times.reduce((most, time, index) => Math.max(most, time - (times[index - 1] ?? time)), 0);
      expect({ kind, whole: longest < 0.06 }).toEqual({ kind, whole: true });
    }
  });
});

describe.concurrent('a picture', () => {
  test.each([
    ['resized', '480x270'],
    ['turned', '180x320'],
  ])('that is %s to %s mid-way begins another epoch under the same names', async (streamId, size) => {
    const other = await makeTestSource({ size });
    const publisher = await stage.publish(streamId, { source });
    const viewer = stage.follow(streamId);
    await viewer.waitForSegments(2, 20_000);
    const before = await stage.status(streamId);
    publisher.switchTo(other);
    await segmentsOfEpoch(viewer, 2, 3);
    const after = await stage.status(streamId);
    expect(after?.sessionId).toBe(before?.sessionId);
    expect(after?.renditions).toEqual(before?.renditions);
    expect(viewer.epochs).toHaveLength(2);
    expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
    expect(publisher.rtmp.isClosed).toBe(false);
    expect(await viewer.verdict()).toEqual([]);
  });
});

describe.concurrent('tracks', () => {
  test('sound that comes 3 s late is heard', async () => {
    await stage.publish('late-audio', { source, audioFromMs: 3000 });
    const viewer = stage.follow('late-audio');
    await viewer.waitFor('segments with sound', 30_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 3);
    expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
    const last = viewer.epochs[1];
    expect(await viewer.verdict()).toEqual([]);
    const media = last === undefined ? [] : await viewer.mediaOfEpoch(last);
    const [silent, sounding] = await Promise.all([
      viewer.mediaOfEpoch(viewer.epochs[0] ?? { map: '', segments: [] }).then(soundLevel),
      soundLevel(media),
    ]);
    expect(silent).toBeLessThan(-80);
    expect(sounding).toBeGreaterThan(-30);
  });

  test('sound alone plays', async () => {
    await stage.publish('audio-only', { source: await makeTestSource({ tracks: 'audio' }) });
    const viewer = stage.follow('audio-only', 'audio');
    await viewer.waitForSegments(4, 30_000);
    const multivariant = await (await fetch(`${stage.origin}/audio-only/live.m3u8`)).text();
    expect(multivariant).toMatch(/CODECS="mp4a\.40\.2"\n/);
    expect(multivariant).not.toContain('RESOLUTION');
    expect(await viewer.verdict()).toEqual([]);
  });

  test('a picture alone plays, with silence', async () => {
    await stage.publish('video-only', { source: await makeTestSource({ tracks: 'video' }) });
    const viewer = stage.follow('video-only');
    await viewer.waitForSegments(4, 30_000);
    expect(viewer.epochs).toHaveLength(1);
    const [epoch] = viewer.epochs;
    expect(await viewer.verdict()).toEqual([]);
    expect(await soundLevel(epoch === undefined ? [] : await viewer.mediaOfEpoch(epoch))).toBeLessThan(-80);
  });
});

describe.concurrent('key frames', () => {
  const far = (gopSeconds: number, more: TestSourceOptions = {}) =>
    makeTestSource({ gopSeconds, seconds: 2 * gopSeconds, rate: 15, ...more });

  test('10 s apart by the own words of the encoder: all is encoded and cut every 2 s', async () => {
    await stage.publish('gop-10', { source: await far(10) });
    const viewer = stage.follow('gop-10');
    await viewer.waitForSegments(5, 30_000);
    expect(viewer.epochs).toHaveLength(1);
    expect(stage.log('gop-10').find((line) => line.policy !== undefined)?.policy).toBe('encode');
    expect(viewer.targetDuration).toBe(2);
    for (const segment of viewer.wholeSegments) expect(segment.duration).toBeCloseTo(2, 2);
    expect(await viewer.verdict()).toEqual([]);
  });

  test('3 s apart: passed through in segments of 3 s', async () => {
    await stage.publish('gop-3', { source: await far(3) });
    const viewer = stage.follow('gop-3');
    await viewer.waitForSegments(4, 30_000);
    expect(viewer.epochs).toHaveLength(1);
    expect(stage.log('gop-3').find((line) => line.policy !== undefined)?.policy).toBe('copy');
    expect(viewer.targetDuration).toBe(3);
    for (const segment of viewer.wholeSegments) expect(segment.duration).toBeCloseTo(3, 2);
    expect(await viewer.verdict()).toEqual([]);
  });

  test('10 s apart without a word: encoded from when it shows, and remembered', async () => {
    const silent = await far(10, { withoutSei: true });
    const first = await stage.publish('gop-10-unsaid', { source: silent });
    const viewer = stage.follow('gop-10-unsaid');
    await segmentsOfEpoch(viewer, 2, 3);
    expect(stage.log('gop-10-unsaid').flatMap(({ policy }) => policy ?? [])).toEqual(['copy', 'encode']);
    expect(viewer.epochs).toHaveLength(2);
    expect(viewer.targetDuration).toBe(2);
    expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
    expect(await viewer.verdict()).toEqual([]);
    const session = await stage.status('gop-10-unsaid');
    await first.sayGoodbye();
    await eventually(
      'the session has ended',
      10_000,
      async () => (await stage.status('gop-10-unsaid'))?.live === false,
    );
    await stage.publish('gop-10-unsaid', { source: silent });
    const policies = await eventually('the next one has begun', 10_000, () => {
      const all = stage.log('gop-10-unsaid').flatMap(({ policy }) => policy ?? []);
      return all.length === 3 && all;
    });
    expect(policies).toEqual(['copy', 'encode', 'encode']);
    await eventually('it is another session', 5000, async () => {
      const next = await stage.status('gop-10-unsaid');
      return next?.live === true && next.sessionId !== session?.sessionId;
    });
  });
});

/** Loudest sample, dB below full scale. */
async function soundLevel(media: readonly Buffer[]): Promise<number> {
  const { peakDb } = await decodeMedia(media);
  return peakDb;
}
