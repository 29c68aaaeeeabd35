import { describe, expect, it } from 'vitest';
import { Watchdog } from './watchdog.js';

describe('Watchdog', () => {
  it('bites once after ten seconds, then ever more rarely, and calms down when the picture moves', () => {
    const dog = new Watchdog();
    const bites: number[] = [];
    for (let now = 0; now <= 60_000; now += 1000) if (dog.bites(now, 7, true)) bites.push(now);
    expect(bites).toEqual([10_000, 25_000, 47_000 + 1000]);
    expect(dog.bites(61_000, 8, true)).toBe(false);
    expect(dog.bites(71_000, 8, true)).toBe(true);
    expect(dog.restarts).toBe(4);
  });

  it('leaves a picture alone that need not move', () => {
    const dog = new Watchdog();
    dog.bites(0, 7, true);
    expect(dog.bites(60_000, 7, false)).toBe(false);
    expect(dog.bites(61_000, 7, true)).toBe(false);
  });

  it('calls for the live edge when late for four seconds without a break', () => {
    const dog = new Watchdog();
    expect([0, 3000, 3900, 4000, 4500].map((now) => dog.late(now, now !== 3000))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(dog.late(7900, true)).toBe(true);
    expect(dog.late(8000, true)).toBe(false);
  });
});
