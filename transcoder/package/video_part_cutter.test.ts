import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Sample } from './fragment_reader.ts';
import { SegmentPlan } from './segment_plan.ts';
import { pictures } from './testing/synthetic_track.ts';
import { VideoPartCutter } from './video_part_cutter.ts';
import type { CutEvent, VideoPart } from './video_part_cutter.ts';

const GRID = { mode: 'grid', targetDuration: 2, segmentSeconds: 2 } as const;
const SOURCE = { mode: 'source', targetDuration: 2, segmentSeconds: 2 } as const;

function cut(plan: SegmentPlan, samples: readonly Sample[], gopFrames?: number): CutEvent[] {
  const cutter = new VideoPartCutter({
    plan,
    partFrames: 15,
    partTarget: 0.5,
    ...(gopFrames === undefined ? {} : { gopFrames }),
  });
  const events: CutEvent[] = [];
  for (const sample of samples) {
    cutter.push(sample);
    events.push(...cutter.take());
  }
  cutter.finishPart();
  events.push(...cutter.take());
  return events;
}

function parts(events: readonly CutEvent[]): VideoPart[] {
  return events.filter((event) => event.kind === 'part');
}

/** Segment durations in seconds, the unfinished last one included. */
function segmentSeconds(events: readonly CutEvent[]): number[] {
  const durations: number[] = [];
  for (const { segment, duration } of parts(events)) durations[segment] = (durations[segment] ?? 0) + duration / 90_000;
  return durations;
}

test('parts of fifteen frames, segments at key frames', () => {
  const events = cut(new SegmentPlan(GRID), pictures({ from: 900_000, count: 90 }));
  expect(parts(events).map(({ segment, duration, independent }) => [segment, duration, independent])).toEqual([
    [0, 45_000, true],
    [0, 45_000, false],
    [0, 45_000, false],
    [0, 45_000, false],
    [1, 45_000, true],
    [1, 45_000, false],
  ]);
});

test('a known GOP closes its segment with its last frame, another waits for the key frame', () => {
  const samples = pictures({ from: 0, count: 60 });
  expect(cut(new SegmentPlan(GRID), samples, 60).at(-1)).toEqual({ kind: 'segment-end', segment: 0 });
  expect(cut(new SegmentPlan(GRID), samples).at(-1)?.kind).toBe('part');
});

test('a key frame that was announced closes the segment before it, so that no part is hinted that never comes', () => {
  const plan = new SegmentPlan(SOURCE);
  for (const pts of [0, 90_045, 180_000]) plan.announce(pts);
  const samples = pictures({ from: 0, count: 60 });
  expect(cut(plan, samples).at(-1)).toEqual({ kind: 'segment-end', segment: 0 });
  expect(cut(new SegmentPlan(SOURCE), samples).at(-1)?.kind).toBe('part');
});

test('pictures before the first key frame are dropped', () => {
  const samples = pictures({ from: 0, count: 70 }).slice(10);
  expect(parts(cut(new SegmentPlan(GRID), samples))[0]?.baseDecodeTime).toBe(180_000);
});

test('a source with a key frame each second is cut each two seconds', () => {
  expect(segmentSeconds(cut(new SegmentPlan(SOURCE), pictures({ from: 0, count: 240, gop: 30 })))).toEqual([
    2, 2, 2, 2,
  ]);
});

test('a source whose key frames never come is cut before EXTINF would round above the target duration', () => {
  const durations = segmentSeconds(cut(new SegmentPlan(SOURCE), pictures({ from: 0, count: 600, gop: 1800 })));
  for (const duration of durations) expect(Math.round(duration)).toBeLessThanOrEqual(2);
});

test('a rendition that lacks a key frame where others have one begins its segment without', () => {
  const plan = new SegmentPlan(GRID);
  cut(plan, pictures({ from: 0, count: 180 }));
  const events = cut(plan, pictures({ from: 0, count: 180, gop: 120 }));
  expect(parts(events).map(({ segment, independent }) => [segment, independent])).toContainEqual([1, false]);
  expect(segmentSeconds(events)).toEqual([2, 2, 2]);
});

test('decoding time that goes back is an error', () => {
  const plan = new SegmentPlan(GRID);
  const samples = pictures({ from: 90_000, count: 2 });
  expect(() => cut(plan, [...samples, ...pictures({ from: 0, count: 1 })])).toThrow(RangeError);
});

/** Frames of uneven length in whole milliseconds, key frames anywhere. */
const unevenSource = fc.array(fc.record({ ms: fc.integer({ min: 5, max: 400 }), keyframe: fc.boolean() }), {
  minLength: 1,
  maxLength: 400,
});

function toSamples(frames: readonly { readonly ms: number; readonly keyframe: boolean }[], offset = 0): Sample[] {
  let dts = 900_000 - offset;
  return frames.map(({ ms, keyframe }, index) => {
    const sample = {
      dts,
      compositionOffset: offset,
      duration: ms * 90,
      keyframe: keyframe || index === 0,
      data: Buffer.alloc(1),
    };
    dts += ms * 90;
    return sample;
  });
}

test('property: nothing is lost, parts keep to their limits, sums hold', () => {
  fc.assert(
    fc.property(unevenSource, fc.constantFrom(GRID, SOURCE), (frames, mode) => {
      const samples = toSamples(frames);
      const made = parts(cut(new SegmentPlan(mode), samples));
      expect(made.flatMap((part) => part.samples.map((sample) => sample.data))).toHaveLength(samples.length);
      for (const part of made) {
        expect(part.samples.length).toBeLessThanOrEqual(15);
        expect(part.samples.length === 1 || part.duration <= 45_180).toBe(true);
      }
      const total = samples.reduce((sum, sample) => sum + sample.duration, 0);
      expect(made.reduce((sum, part) => sum + part.duration, 0)).toBe(total);
      for (const duration of segmentSeconds(made)) expect(Math.round(duration)).toBeLessThanOrEqual(2);
    }),
  );
});

test('property: renditions with another order of decoding have the same boundaries, whoever is first', () => {
  fc.assert(
    fc.property(unevenSource, fc.array(fc.boolean()), (frames, order) => {
      const plan = new SegmentPlan(SOURCE);
      const options = { plan, partFrames: 15, partTarget: 0.5 };
      const tracks = [toSamples(frames), toSamples(frames, 6000)];
      const cutters = [new VideoPartCutter(options), new VideoPartCutter(options)];
      const position = [0, 0];
      const step = (track: number): void => {
        const sample = tracks[track]?.[position[track] ?? 0];
        if (sample === undefined) return;
        cutters[track]?.push(sample);
        position[track] = (position[track] ?? 0) + 1;
      };
      for (const first of order) step(first ? 0 : 1);
      for (const _ of frames) {
        step(0);
        step(1);
      }
      const starts = cutters.map((cutter) => {
        cutter.finishPart();
        return new Set(parts(cutter.take()).map((part) => `${part.segment} ${part.segmentStart}`));
      });
      expect(starts[0]).toEqual(starts[1]);
    }),
  );
});
