import { expect, test } from 'vitest';
import type { StreamId } from '../../contracts/ids.ts';
import { ConnectBudget } from './connect_budget.ts';

const FLAPS = 'flaps' as StreamId;

/** @returns how long it waited */
function connect(budget: ConnectBudget, nowMs: number, streamId = FLAPS): number {
  const waitMs = budget.due(streamId, nowMs);
  budget.spend(streamId, nowMs + waitMs);
  return waitMs;
}

/** Connects so often that each comes as soon as it may, but not sooner than after `everyMs`. */
function connectsInAMinute(everyMs: number): number {
  const budget = new ConnectBudget();
  let connects = 0;
  for (let nowMs = 0; nowMs < 60_000; nowMs += everyMs) {
    nowMs += connect(budget, nowMs);
    connects += 1;
  }
  return connects;
}

test('a publisher that comes back now and then never waits', () => {
  const budget = new ConnectBudget();
  for (let nowMs = 0; nowMs < 600_000; nowMs += 12_000) expect(connect(budget, nowMs)).toBe(0);
});

test('six returns in a row are let in at once, the next ones wait, and never for ever', () => {
  const budget = new ConnectBudget();
  const waits = Array.from({ length: 40 }, () => {
    const waitMs = budget.due(FLAPS, 0);
    budget.spend(FLAPS, 0);
    return waitMs;
  });
  expect(waits.slice(0, 7)).toEqual([0, 0, 0, 0, 0, 0, 8000]);
  expect(Math.max(...waits)).toBe(15_000);
  expect(budget.due('other' as StreamId, 0)).toBe(0);
});

test('twenty connects a minute become a third fewer', () => {
  expect(connectsInAMinute(3000)).toBeLessThan(15);
});

test('is forgotten after a while', () => {
  const budget = new ConnectBudget();
  for (let index = 0; index < 3000; index += 1) budget.spend(`stream-${index}` as StreamId, index * 1000);
  for (let round = 0; round < 10; round += 1) budget.spend(FLAPS, 3_000_000);
  expect(budget.due(FLAPS, 3_100_000)).toBe(0);
});

test('who is refused takes nothing from the one that is let in', () => {
  const budget = new ConnectBudget();
  for (let round = 0; round < 100; round += 1) budget.due(FLAPS, round * 100);
  expect(budget.due(FLAPS, 10_000)).toBe(0);
});
