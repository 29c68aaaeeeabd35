import { expect, test } from 'vitest';
import { HoldPacer } from './hold_pacer.ts';

/** Looks every 100 ms from `from` to `to`; gives how many parts were held. */
function run(pacer: HoldPacer, from: number, to: number, version: { now: number }, silent = true): number {
  let held = 0;
  for (let now = from; now <= to; now += 100) {
    for (let due = pacer.due(now, version.now, silent); due > 0; due -= 1) {
      version.now += 1;
      pacer.held(version.now, 0.5);
      held += 1;
    }
  }
  return held;
}

test('keeps the pace of the clock, however long the absence', () => {
  const version = { now: 1 };
  const pacer = new HoldPacer(0.5, 0);
  expect(run(pacer, 0, 800, version)).toBe(0);
  expect(run(pacer, 900, 60_000, version)).toBe(120);
});

test('a late start of the picture is made up for at once', () => {
  const version = { now: 1 };
  const pacer = new HoldPacer(0.5, 0);
  expect(run(pacer, 0, 2500, version, false)).toBe(0);
  expect(run(pacer, 2600, 2600, version)).toBe(5);
});

test('media that comes sets the edge anew', () => {
  const version = { now: 1 };
  const pacer = new HoldPacer(0.5, 0);
  expect(run(pacer, 0, 2000, version)).toBe(4);
  version.now += 1;
  expect(run(pacer, 2100, 2900, version)).toBe(0);
  expect(run(pacer, 3000, 3000, version)).toBe(1);
});
