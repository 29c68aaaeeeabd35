import { expect, test } from 'vitest';
import { UplinkMeter } from './uplink_meter.ts';

/** @returns what was said of a minute of media that arrives at this pace */
function minute(pace: number, timestamp = (mediaMs: number) => mediaMs): (number | undefined)[] {
  const meter = new UplinkMeter();
  const said: (number | undefined)[] = [];
  for (let mediaMs = 0; mediaMs < 60_000 * pace; mediaMs += 33) {
    said.push(meter.media(timestamp(mediaMs), mediaMs / pace));
  }
  return said.filter((share) => share !== undefined);
}

test('says nothing of an uplink that keeps up', () => {
  expect(minute(1)).toEqual([]);
  expect(minute(0.99)).toEqual([]);
  expect(minute(1.1)).toEqual([]);
});

test('says every ten seconds how slow it is', () => {
  const said = minute(0.6);
  expect(said).toHaveLength(5);
  for (const share of said) expect(share).toBeCloseTo(0.6, 1);
});

test('a clock that jumps is no slow uplink', () => {
  expect(minute(1, (mediaMs) => (mediaMs > 20_000 ? mediaMs - 15_000 : mediaMs))).toEqual([]);
  expect(minute(1, (mediaMs) => (mediaMs > 20_000 ? mediaMs + 3_600_000 : mediaMs))).toEqual([]);
});
