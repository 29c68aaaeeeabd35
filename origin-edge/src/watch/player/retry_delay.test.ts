import { describe, expect, it } from 'vitest';
import { restartDelayMs, statusDelayMs } from './retry_delay.js';

const middle = (): number => 0.5;
const waiting = { playing: false, hiddenAsks: 0, failures: 0 };

describe('statusDelayMs', () => {
  it.each([
    [waiting, 2000],
    [{ ...waiting, playing: true }, 4000],
    [{ ...waiting, hiddenAsks: 1 }, 4000],
    [{ ...waiting, hiddenAsks: 99 }, 30_000],
    [{ ...waiting, failures: 99 }, 15_000],
  ])('%j: %d ms', (situation, ms) => expect(statusDelayMs(situation, middle)).toBe(ms));

  it('is spread by chance over 20 % to each side', () => {
    expect(statusDelayMs(waiting, () => 0)).toBe(1600);
    expect(statusDelayMs(waiting, () => 0.9999)).toBeCloseTo(2400, -1);
  });
});

describe('restartDelayMs', () => {
  it('begins anew at once, then after 1, 2, 4, 8 s', () => {
    expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => restartDelayMs(attempt, middle))).toEqual([
      0, 1000, 2000, 4000, 8000, 8000, 8000,
    ]);
  });
});
