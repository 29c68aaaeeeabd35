import { describe, expect, test } from 'vitest';
import { EpochTimeline } from './epoch_timeline.ts';

describe('EpochTimeline', () => {
  test('puts the first key frame at one second and audio around it', () => {
    const timeline = new EpochTimeline(500_000);
    expect(timeline.place('video', 500_000, 0)).toEqual({ kind: 'at', timestampMs: 1000 });
    expect(timeline.place('audio', 499_980, 0)).toEqual({ kind: 'at', timestampMs: 980 });
    expect(timeline.place('video', 500_033, 33)).toEqual({ kind: 'at', timestampMs: 1033 });
  });

  test.each([3_600_000, -3_600_000, -500_000, 3000])('sees a jump of %i ms', (jump) => {
    const timeline = new EpochTimeline(500_000);
    timeline.place('video', 500_000, 0);
    expect(timeline.place('video', 500_033 + jump, 33)).toEqual({ kind: 'jump' });
  });

  test('a gap that really passed is no jump, nor is a burst after it', () => {
    const timeline = new EpochTimeline(0);
    timeline.place('video', 0, 0);
    expect(timeline.place('video', 6000, 6000)).toMatchObject({ kind: 'at' });
    expect(timeline.place('video', 6033, 6001)).toMatchObject({ kind: 'at' });
  });

  test('loose interleaving is tolerated, and does not move the reference back', () => {
    const timeline = new EpochTimeline(10_000);
    timeline.place('audio', 10_400, 0);
    expect(timeline.place('audio', 10_000, 1)).toMatchObject({ kind: 'at' });
    expect(timeline.place('audio', 9_800, 2)).toEqual({ kind: 'jump' });
  });

  test('a track from another timeline, or before the epoch, is dropped', () => {
    const timeline = new EpochTimeline(3_600_000);
    timeline.place('video', 3_600_000, 0);
    expect(timeline.place('audio', 20, 1)).toEqual({ kind: 'stray' });
    expect(timeline.place('audio', 3_598_900, 2)).toEqual({ kind: 'stray' });
    expect(timeline.place('audio', 3_606_000, 3)).toEqual({ kind: 'stray' });
    expect(timeline.place('audio', 3_600_010, 4)).toMatchObject({ kind: 'at' });
  });

  test('ends before the 31 bits of FLV do', () => {
    const timeline = new EpochTimeline(0);
    const nearly = 2 ** 31 - 2000;
    timeline.place('video', 0, 0);
    expect(timeline.place('video', nearly, nearly)).toMatchObject({ kind: 'at' });
    expect(timeline.place('video', nearly + 1033, nearly + 1033)).toEqual({ kind: 'jump' });
  });
});
