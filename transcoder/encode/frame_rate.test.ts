import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideFrameRate, framesPerSecond, snapFrameRate } from './frame_rate.ts';

function times(rate: number, frames: number): number[] {
  return Array.from({ length: frames }, (_, index) => Math.round((index * 1000) / rate));
}

describe('snapFrameRate', () => {
  it.each([
    [23.976, '24000/1001'],
    [24, '24/1'],
    [25, '25/1'],
    [29.97, '30000/1001'],
    [29.97003, '30000/1001'],
    [30, '30/1'],
    [30.3, '30/1'],
    [27, '30000/1001'],
    [48, '48/1'],
    [50, '50/1'],
    [59.94, '60000/1001'],
    [60, '60/1'],
    [61, '60/1'],
    [72, '60/1'],
    [100, '50/1'],
    [119.88, '60000/1001'],
    [120, '60/1'],
    [144, '60/1'],
    [15, '15/1'],
    [14.985, '15/1'],
    [12.5, '12500/1000'],
    [20, '20/1'],
    [5, '5/1'],
    [0.2, '1000/1000'],
  ])('%d becomes %s', (rate, wanted) => {
    const snapped = snapFrameRate(rate);
    expect(`${snapped.numerator}/${snapped.denominator}`).toBe(wanted);
  });

  it('gives a rate from 1 to 60', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1000, noNaN: true }), (rate) => {
        expect(framesPerSecond(snapFrameRate(rate))).toBeGreaterThanOrEqual(1);
        expect(framesPerSecond(snapFrameRate(rate))).toBeLessThanOrEqual(60);
      }),
    );
  });
});

describe('decideFrameRate', () => {
  it.each([
    ['metadata in agreement', { metadata: 29.97, bitstream: 30, timestampsMs: times(29.97, 20) }, '30000/1001'],
    ['metadata without timestamps', { metadata: 50 }, '50/1'],
    ['metadata at odds: the bitstream', { metadata: 60, bitstream: 25, timestampsMs: times(25, 20) }, '25/1'],
    ['both at odds: the timestamps', { metadata: 1000, bitstream: 50, timestampsMs: times(30, 20) }, '30/1'],
    ['timestamps alone', { timestampsMs: times(24, 12) }, '24/1'],
    ['one gap in the timestamps', { timestampsMs: [0, 33, 67, 100, 133, 900, 933, 967, 1000] }, '30/1'],
    ['too few timestamps', { timestampsMs: [0, 40, 80] }, '30/1'],
    ['nothing', {}, '30/1'],
    ['a metadata rate that is none', { metadata: Number.NaN, bitstream: 25 }, '25/1'],
  ])('%s', (_name, evidence, wanted) => {
    const rate = decideFrameRate(evidence);
    expect(`${rate.numerator}/${rate.denominator}`).toBe(wanted);
  });
});
