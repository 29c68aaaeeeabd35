import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInitTracks, readSegmentTiming, SegmentFormatError } from './segment_timing.ts';
import { syntheticInit, syntheticSegment } from './testing/synthetic_segment.ts';

function outcome(read: () => unknown): 'read' | 'refused' | 'another error' {
  try {
    read();
    return 'read';
  } catch (error) {
    return error instanceof SegmentFormatError ? 'refused' : 'another error';
  }
}

const TRACKS = readInitTracks(syntheticInit());
const SEGMENT = syntheticSegment({ start: 10, duration: 2, seed: 3 });

describe('readInitTracks', () => {
  it('gives the tracks with their timescales', () => {
    expect(TRACKS).toEqual([
      { trackId: 1, handler: 'vide', timescale: 90_000 },
      { trackId: 2, handler: 'soun', timescale: 48_000 },
    ]);
  });

  it('refuses what has no tracks, or no time', () => {
    expect(() => readInitTracks(SEGMENT)).toThrow(SegmentFormatError);
    expect(() => readInitTracks(syntheticInit(0))).toThrow('got a timescale of 0');
    expect(() => readInitTracks(new Uint8Array(0))).toThrow(SegmentFormatError);
  });
});

describe('readSegmentTiming', () => {
  it('adds up the fragments of each track, and goes by the video', () => {
    const { tracks, start, duration } = readSegmentTiming(SEGMENT, TRACKS);
    expect([...tracks]).toEqual([
      [1, { start: 900_000, end: 1_080_000 }],
      [2, { start: 480_000, end: 576_000 }],
    ]);
    expect([start, duration]).toEqual([10, 2]);
  });

  it('goes by the sound where there is no video', () => {
    const sound = TRACKS.filter(({ handler }) => handler === 'soun');
    const alone = syntheticSegment({ start: 10, duration: 2, seed: 3, trackId: 2 });
    expect(() => readSegmentTiming(SEGMENT, sound)).toThrow('got track 1, wanted one of 2');
    expect(() => readSegmentTiming(alone, TRACKS)).toThrow('tfdt of track 2');
  });

  it('refuses a segment that ends before its last byte', () => {
    for (let end = 0; end < SEGMENT.length; end += 1) {
      // Half of it is a whole fragment.
      if (end === SEGMENT.length / 2) continue;
      expect(() => readSegmentTiming(SEGMENT.subarray(0, end), TRACKS)).toThrow(SegmentFormatError);
    }
  });

  it('never throws anything else, whatever the bytes', () => {
    const change = fc.tuple(fc.nat({ max: SEGMENT.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(SEGMENT);
        for (const [at, value] of changes) bytes.writeUInt8(value, at);
        expect(outcome(() => readSegmentTiming(bytes, TRACKS))).not.toBe('another error');
      }),
      { numRuns: 2000 },
    );
  });
});
