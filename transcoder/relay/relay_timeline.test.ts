import { describe, expect, test } from 'vitest';
import { RelayTimeline } from './relay_timeline.ts';

const tag = (timestampMs: number) => ({ kind: 'video', timestampMs, body: Buffer.alloc(0) }) as const;

function timeline() {
  const line = new RelayTimeline();
  return { line, at: (timestampMs: number, nowMs: number) => line.place(tag(timestampMs), false, nowMs) };
}

describe('the timeline of a relay', () => {
  test('leaves a well-behaved publisher alone', () => {
    const { at } = timeline();
    expect([at(5000, 0), at(5033, 33), at(5021, 33), at(5067, 66)]).toEqual([5000, 5033, 5021, 5067]);
  });

  test('joins another publisher after the time that it was away', () => {
    const { line, at } = timeline();
    at(9000, 1000);
    line.restart();
    expect(line.place(tag(0), true, 3000)).toBe(9000);
    expect([at(100, 3000), at(140, 3040)]).toEqual([11_000, 11_040]);
    line.restart();
    expect(at(50_000, 3040)).toBe(11_060);
  });

  test.each([
    [-3_600_000, 20],
    [3_600_000, 20],
  ])('closes a jump by %i ms', (jumpMs, stepMs) => {
    const { at } = timeline();
    at(4_000_000, 0);
    expect(at(4_000_000 + jumpMs, 20)).toBe(4_000_000 + stepMs);
    expect(at(4_000_033 + jumpMs, 53)).toBe(4_000_000 + stepMs + 33);
  });

  test('keeps a gap that the clock saw too', () => {
    const { at } = timeline();
    at(0, 0);
    expect(at(15_000, 15_000)).toBe(15_000);
  });
});
