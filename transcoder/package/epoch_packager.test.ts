import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import type { EncodePlan } from '../encode/encode_plan.ts';
import { EpochPackager } from './epoch_packager.ts';
import type { EpochPackagerOptions, PackageError, RenditionTracks } from './epoch_packager.ts';
import { BoxError, findBox, listBoxes } from './boxes.ts';
import { SegmentWindow } from './segment_window.ts';
import type { PublishedSegment } from './segment_window.ts';
import { StreamWindowView } from './stream_window_view.ts';
import { audioFragment, audioInit, pictures, sounds, videoFragment, videoInit } from './testing/synthetic_track.ts';
import type { WindowSegment } from './window_segment.ts';

const LOW = '360p' as RenditionName;
const HIGH = '720p' as RenditionName;
const EPOCH = 1000 as Epoch;

function makePlan(options: Partial<EncodePlan> = {}, names: readonly RenditionName[] = [LOW, HIGH]): EncodePlan {
  return {
    renditions: names.map((name) => ({
      name,
      mode: 'encode',
      videoBitrate: 800_000,
      maxRate: 800_000,
      bufferSize: 800_000,
      audioBitrate: name === LOW ? 96_000 : 128_000,
    })),
    followsSource: false,
    gopFrames: 60,
    partFrames: 15,
    audioBitrates: [96_000, 128_000],
    hasAudio: true,
    ...options,
  };
}

interface Setting {
  readonly window: SegmentWindow;
  readonly packager: EpochPackager;
  readonly segments: PublishedSegment[];
  readonly errors: PackageError[];
  readonly tracks: (readonly RenditionTracks[])[];
}

function setUp(plan: EncodePlan, options: Partial<EpochPackagerOptions> = {}): Setting {
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
  const tracks: (readonly RenditionTracks[])[] = [];
  const packager = new EpochPackager({
    epoch: EPOCH,
    plan,
    window,
    anchor: { mediaSeconds: 10, programDateTimeMs: 1_000_000 },
    segmentSeconds: 2,
    onTracks: (found) => tracks.push(found),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { window, packager, segments, errors, tracks };
}

/** Half a second of pictures as one chunk; `index` counts from the epoch's start at 10 s. */
function halfSecond(index: number): Buffer {
  const gop = index % 4 === 0 ? 60 : 0;
  return videoFragment(pictures({ from: 900_000 + index * 45_000, count: 15, gop }));
}

/** `count` frames of sound from the epoch's start on, as one chunk. */
function soundFrom(frame: number, count: number): Buffer {
  return audioFragment(sounds(480_000 + frame * 1024, count));
}

function start(packager: EpochPackager): void {
  for (const index of [0, 1]) {
    packager.video(index, videoInit(index === 0 ? 640 : 1280, index === 0 ? 360 : 720));
    packager.audio(index, audioInit());
  }
}

function listed(window: SegmentWindow, rendition: RenditionName): readonly WindowSegment[] {
  return window.track(rendition)?.listed() ?? [];
}

/** Track ids and sample counts of a part. */
function contents(part: Buffer): number[][] {
  const moof = listBoxes(part, 0, part.length)[0];
  if (moof === undefined) return [];
  return listBoxes(part, moof.body, moof.end)
    .filter((child) => child.type === 'traf')
    .map((traf) => {
      const tfhd = findBox(part, traf, 'tfhd')?.body ?? 0;
      const trun = findBox(part, traf, 'trun')?.body ?? 0;
      return [part.readUInt32BE(tfhd + 4), part.readUInt32BE(trun + 4)];
    });
}

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
