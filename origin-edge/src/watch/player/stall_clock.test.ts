import { describe, expect, it } from 'vitest';
import { StallClock } from './stall_clock.js';

describe('StallClock', () => {
  it('measures from the last movement to the next', () => {
    const clock = new StallClock();
    clock.sample(0, 1, true);
    clock.sample(100, 1.1, true);
    expect(clock.sample(200, 1.1, true)).toBe(100);
    expect(clock.sample(3100, 1.1, true)).toBe(3000);
    expect(clock.stats()).toEqual({ count: 1, totalMs: 3000, longestMs: 3000, lastMs: 3000 });
    expect(clock.sample(3200, 1.2, true)).toBe(0);
    expect(clock.stats()).toEqual({ count: 1, totalMs: 3100, longestMs: 3100, lastMs: 3100 });
    clock.sample(4000, 1.9, true);
    expect(clock.stats()).toEqual({ count: 2, totalMs: 3900, longestMs: 3100, lastMs: 800 });
  });

  it('does not count what may stand still, nor the grain of the clock', () => {
    const clock = new StallClock();
    clock.sample(0, 5, true);
    clock.sample(200, 5, true);
    clock.sample(250, 5.2, true);
    clock.sample(300, 5.2, false);
    clock.sample(60_000, 5.2, false);
    clock.sample(60_100, 5.2, true);
    clock.sample(60_200, 5.3, true);
    expect(clock.stats()).toEqual({ count: 0, totalMs: 0, longestMs: 0, lastMs: 0 });
  });
});
