import { describe, expect, test } from 'vitest';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan } from '../encode/encode_plan.ts';
import {
  HIGH,
  LOW,
  contents,
  halfSecond,
  listed,
  makePlan,
  setUp,
  soundFrom,
  start,
} from './testing/packager_setting.ts';
import { audioInit } from './testing/synthetic_track.ts';

/** @param filled the rendition had to fill the end of segment 101 */
function heldSegments(filled: boolean): unknown[] {
  return [
    { msn: 100, seconds: 2, hold: false, complete: true, programDateTimeMs: 1_000_000 },
    { msn: 101, seconds: 1, hold: filled, complete: true, programDateTimeMs: 1_002_000 },
    { msn: 102, seconds: 2, hold: true, complete: true, programDateTimeMs: 1_003_000 },
    { msn: 103, seconds: 2, hold: true, complete: true, programDateTimeMs: 1_005_000 },
    { msn: 104, seconds: 0.5, hold: true, complete: false, programDateTimeMs: 1_007_000 },
  ];
}

describe('hold', () => {
  test('repeats the last key frame in whole segments, the renditions first brought to one time', () => {
    const { window, packager, segments } = setUp(makePlan());
    expect(packager.hold(0.5)).toBe(false);
    const second = setUp(makePlan());
    start(second.packager);
    for (const index of [0, 1]) second.packager.audio(index, soundFrom(0, 300));
    // 360p has three seconds and its last part cut short, 720p two and a half seconds.
    for (let half = 0; half < 6; half += 1) second.packager.video(0, halfSecond(half));
    for (let half = 0; half < 3; half += 1) second.packager.video(1, halfSecond(half));
    for (let half = 0; half < 9; half += 1) expect(second.packager.hold(0.5)).toBe(true);
    const shape = (rendition: RenditionName): unknown =>
      listed(second.window, rendition).map(({ msn, duration, hold, complete, programDateTimeMs }) => ({
        msn,
        seconds: duration / 90_000,
        hold,
        complete,
        programDateTimeMs,
      }));
    expect(shape(LOW)).toEqual(heldSegments(false));
    // 720p filled what it lacked of segment 101 with its own standing picture.
    expect(shape(HIGH)).toEqual(heldSegments(true));
    const parts = listed(second.window, HIGH)[2]?.parts ?? [];
    expect(parts).toHaveLength(4);
    for (const { independent, data } of parts) {
      expect(independent).toBe(true);
      expect(contents(data)[0]).toEqual([1, 1]);
      expect([23, 24]).toContain(contents(data)[1]?.[1]);
    }
    expect(segments).toEqual([]);
    expect(window.nextMsn).toBe(100);
  });

  test('is over when the epoch is', () => {
    const { window, packager } = setUp(makePlan());
    start(packager);
    packager.video(0, halfSecond(0));
    expect(packager.hold(0.5)).toBe(true);
    window.startEpoch(2000 as Epoch, { mediaSeconds: 10, programDateTimeMs: 2_000_000 });
    expect(packager.hold(0.5)).toBe(false);
    expect(listed(window, LOW).map(({ msn, gap }) => [msn, gap])).toEqual([
      [100, false],
      [101, false],
    ]);
    expect(listed(window, HIGH).map(({ msn, gap }) => [msn, gap])).toEqual([
      [100, true],
      [101, true],
    ]);
  });
});

describe('sound alone', () => {
  const AUDIO_PLAN: EncodePlan = {
    ...makePlan({ audioBitrates: [96_000] }),
    renditions: [LOW].map((name) => ({
      name,
      mode: 'audio',
      videoBitrate: 0,
      maxRate: 0,
      bufferSize: 0,
      audioBitrate: 96_000,
    })),
  };

  test('is cut by frames, every part independent, and held with silence', () => {
    const { window, packager, tracks } = setUp(AUDIO_PLAN);
    expect(tracks).toEqual([[{ name: LOW, codecs: 'mp4a.40.2' }]]);
    packager.audio(0, audioInit());
    packager.audio(0, soundFrom(0, 200));
    packager.finish();
    const shape = listed(window, LOW).map(({ msn, parts, complete }) => [
      msn,
      complete,
      parts.map(({ data }) => contents(data)),
    ]);
    const part = [[2, 23]];
    expect(shape).toEqual([
      [100, true, [part, part, part, part]],
      [101, true, [part, part, part, part]],
      [102, true, [[[2, 16]]]],
    ]);
    for (let half = 0; half < 5; half += 1) expect(packager.hold(0.5)).toBe(true);
    const held = listed(window, LOW).slice(3);
    expect(held.map(({ msn, complete, hold }) => [msn, complete, hold])).toEqual([
      [103, true, true],
      [104, false, true],
    ]);
    const seconds = held[0] === undefined ? 0 : held[0].duration / 90_000;
    expect(Math.abs(seconds - 2)).toBeLessThan(0.25);
    for (const { duration } of held.flatMap(({ parts }) => parts)) expect(duration).toBeLessThanOrEqual(45_180);
  });
});
