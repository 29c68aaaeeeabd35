import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BoxError, listBoxes } from './boxes.ts';
import { StreamWindowView } from './stream_window_view.ts';
import {
  EPOCH,
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
import { audioInit, pictures, videoFragment, videoInit } from './testing/synthetic_track.ts';

describe('EpochPackager', () => {
  test('joins pictures and sound into parts, and tells the shape once all headers are known', () => {
    const { window, packager, segments, errors, tracks } = setUp(makePlan());
    start(packager);
    expect(tracks).toEqual([
      [
        { name: LOW, codecs: 'avc1.64001f,mp4a.40.2', resolution: { width: 640, height: 360 } },
        { name: HIGH, codecs: 'avc1.64001f,mp4a.40.2', resolution: { width: 1280, height: 720 } },
      ],
    ]);
    for (const index of [0, 1]) packager.audio(index, soundFrom(0, 100));
    for (let half = 0; half < 4; half += 1) for (const index of [0, 1]) packager.video(index, halfSecond(half));
    expect(errors).toEqual([]);
    expect(segments.map(({ rendition, msn, durationSeconds }) => [rendition, msn, durationSeconds])).toEqual([
      [LOW, 100, 2],
      [HIGH, 100, 2],
    ]);
    expect(segments[0]?.data.map(contents)).toEqual([
      [
        [1, 15],
        [2, 24],
      ],
      [
        [1, 15],
        [2, 23],
      ],
      [
        [1, 15],
        [2, 24],
      ],
      [
        [1, 15],
        [2, 23],
      ],
    ]);
    expect(packager.progress).toEqual([12, 12]);
    expect(window.nextMsn).toBe(101);
  });

  test('the initialization segment has both tracks, renumbered and without edit lists', () => {
    const { window, packager } = setUp(makePlan());
    start(packager);
    const [init] = new StreamWindowView(window).init(EPOCH, HIGH) ?? [];
    if (init === undefined) throw new Error('no initialization segment');
    expect(listBoxes(init, 0, init.length).map((each) => each.type)).toEqual(['ftyp', 'moov']);
    const moov = listBoxes(init, 0, init.length)[1];
    if (moov === undefined) return;
    expect(listBoxes(init, moov.body, moov.end).map((each) => each.type)).toEqual(['mvhd', 'trak', 'trak', 'mvex']);
    expect(init.includes('edts')).toBe(false);
  });

  test('pictures wait for their sound, but not for ever', () => {
    const { window, packager } = setUp(makePlan());
    start(packager);
    packager.audio(0, soundFrom(0, 30));
    packager.video(0, halfSecond(0));
    packager.video(0, halfSecond(1));
    expect(listed(window, LOW)[0]?.parts).toHaveLength(1);
    packager.flushLate(1000);
    packager.flushLate(1249);
    expect(listed(window, LOW)[0]?.parts).toHaveLength(1);
    packager.flushLate(1250);
    expect(listed(window, LOW)[0]?.parts.map((part) => contents(part.data))).toEqual([
      [
        [1, 15],
        [2, 24],
      ],
      [
        [1, 15],
        [2, 6],
      ],
    ]);
    packager.audio(0, soundFrom(30, 50));
    packager.video(0, halfSecond(2));
    expect(contents(listed(window, LOW)[0]?.parts[2]?.data ?? Buffer.alloc(0))).toEqual([
      [1, 15],
      [2, 41],
    ]);
  });

  test('a source without sound is not waited for', () => {
    const { window, packager } = setUp(makePlan({ hasAudio: false, audioBitrates: [] }));
    packager.video(0, videoInit());
    packager.video(0, halfSecond(0));
    expect(listed(window, LOW)[0]?.parts.map((part) => contents(part.data))).toEqual([
      [
        [1, 15],
        [2, 24],
      ],
    ]);
  });

  test('FFmpeg ending publishes what is left', () => {
    const { window, packager } = setUp(makePlan());
    start(packager);
    packager.video(0, videoFragment(pictures({ from: 900_000, count: 7 })));
    packager.finish();
    expect(listed(window, LOW)[0]?.parts.map(({ duration }) => duration)).toEqual([21_000]);
    packager.video(0, halfSecond(1));
    expect(listed(window, LOW)[0]?.parts).toHaveLength(1);
  });

  test('FFmpeg ending closes the segment: a part that was cut short is its last one, alike in all renditions', () => {
    const { window, packager } = setUp(makePlan());
    start(packager);
    for (const index of [0, 1]) packager.audio(index, soundFrom(0, 300));
    packager.video(0, videoFragment(pictures({ from: 900_000, count: 21 })));
    packager.video(1, videoFragment(pictures({ from: 900_000, count: 18 })));
    packager.finish();
    for (const rendition of [LOW, HIGH]) {
      const [segment, ...others] = listed(window, rendition);
      expect(others).toEqual([]);
      expect(segment?.complete).toBe(true);
      expect(segment?.parts.map(({ duration }) => duration)).toEqual([45_000, 18_000]);
    }
  });

  test('broken bytes end their rendition alone, with one typed error', () => {
    const { window, packager, errors } = setUp(makePlan());
    start(packager);
    for (const index of [0, 1]) packager.audio(index, soundFrom(0, 300));
    packager.video(1, Buffer.from('this is not a box at all'));
    packager.video(1, Buffer.from('nor is this'));
    for (let half = 0; half < 8; half += 1) packager.video(0, halfSecond(half));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ name: 'PackageError', pipe: 'video', index: 1 });
    expect(errors[0]?.cause).toBeInstanceOf(BoxError);
    expect(listed(window, LOW).map(({ msn, gap }) => [msn, gap])).toEqual([
      [100, false],
      [101, false],
    ]);
    expect(listed(window, HIGH).map(({ msn, gap }) => [msn, gap])).toEqual([
      [100, true],
      [101, true],
    ]);
  });

  test('sound in another form is refused', () => {
    const { packager, errors } = setUp(makePlan());
    packager.audio(0, videoInit());
    packager.video(0, audioInit());
    packager.audio(7, audioInit());
    expect(errors.map(({ pipe, index }) => [pipe, index])).toEqual([
      ['audio', 0],
      ['video', 0],
      ['audio', 7],
    ]);
  });

  test('a rendition that this epoch does not make is a gap', () => {
    const { window, packager } = setUp(makePlan({}, [LOW]));
    packager.video(0, videoInit());
    packager.audio(0, soundFromStart());
    for (let half = 0; half < 4; half += 1) packager.video(0, halfSecond(half));
    expect(listed(window, HIGH).map(({ msn, gap, duration }) => [msn, gap, duration])).toEqual([[100, true, 180_000]]);
  });
});

function soundFromStart(): Buffer {
  return Buffer.concat([audioInit(), soundFrom(0, 300)]);
}

test('property: whatever the order of the pipes, MSNs rise by one and the renditions have the same boundaries', () => {
  const order = fc.array(
    fc.record({ pipe: fc.integer({ min: 0, max: 3 }), bytes: fc.integer({ min: 1, max: 4000 }) }),
    {
      minLength: 50,
      maxLength: 400,
    },
  );
  const video = Buffer.concat([videoInit(), ...Array.from({ length: 16 }, (_, half) => halfSecond(half))]);
  const audio = Buffer.concat([audioInit(), ...Array.from({ length: 100 }, (_, part) => soundFrom(part * 4, 4))]);
  fc.assert(
    fc.property(order, (steps) => {
      const { window, packager, errors } = setUp(makePlan());
      const position = [0, 0, 0, 0];
      const feed = (pipe: number, bytes: number): void => {
        const at = position[pipe] ?? 0;
        position[pipe] = at + bytes;
        if (pipe < 2) packager.video(pipe, video.subarray(at, at + bytes));
        else packager.audio(pipe - 2, audio.subarray(at, at + bytes));
      };
      for (const [index, { pipe, bytes }] of steps.entries()) {
        feed(pipe, bytes);
        packager.flushLate(index * 20);
      }
      for (const pipe of [0, 1, 2, 3]) feed(pipe, 100_000);
      packager.finish();
      window.markEnded();
      expect(errors).toEqual([]);
      for (const rendition of [LOW, HIGH]) {
        const segments = listed(window, rendition);
        expect(segments.map(({ msn, duration, gap }) => [msn, duration, gap])).toEqual(
          [100, 101, 102, 103].map((msn) => [msn, 180_000, false]),
        );
        for (const { parts, duration } of segments) {
          expect(parts.reduce((sum, part) => sum + part.duration, 0)).toBe(duration);
          for (const part of parts) expect(part.duration).toBeLessThanOrEqual(45_000);
        }
      }
    }),
    { numRuns: 50 },
  );
});
