import { describe, expect, test } from 'vitest';
import { TimestampUnwrapper } from './timestamp_unwrapper.ts';

const CYCLE = 2 ** 32;
const unwrapAll = (timestamps: readonly number[]): number[] => {
  const unwrapper = new TimestampUnwrapper();
  return timestamps.map((timestamp) => unwrapper.unwrap(timestamp));
};

describe('timestamp unwrapper', () => {
  test('goes on past 2^32, and past 2^33', () => {
    expect(unwrapAll([CYCLE - 20, 20, CYCLE / 2, CYCLE - 1, 3])).toStrictEqual([
      CYCLE - 20,
      CYCLE + 20,
      CYCLE * 1.5,
      2 * CYCLE - 1,
      2 * CYCLE + 3,
    ]);
  });

  test('a track that lags behind the roll-over stays before it', () => {
    expect(unwrapAll([CYCLE - 20, 5, CYCLE - 10, 30])).toStrictEqual([CYCLE - 20, CYCLE + 5, CYCLE - 10, CYCLE + 30]);
  });

  test('a sequence header at 0 before a stream that begins just below the roll-over', () => {
    expect(unwrapAll([0, CYCLE - 100, CYCLE - 60, 10])).toStrictEqual([0, CYCLE - 100, CYCLE - 60, CYCLE + 10]);
  });

  test('jumps of hours in either direction are handed on', () => {
    expect(unwrapAll([7_200_000, 3_600_000, 0, 10_800_000])).toStrictEqual([7_200_000, 3_600_000, 0, 10_800_000]);
  });

  test('looking at metadata moves nothing', () => {
    const unwrapper = new TimestampUnwrapper();
    unwrapper.unwrap(3_000_000_000);
    unwrapper.peek(0);
    expect(unwrapper.unwrap(3_000_000_040)).toBe(3_000_000_040);
  });
});
