import { describe, expect, test } from 'vitest';
import { BitrateMeter } from './bitrate_meter.ts';

describe('bitrate meter', () => {
  test('averages over the window and says nothing before it is full', () => {
    const meter = new BitrateMeter(1000);
    expect(meter.sample(0, 0)).toBeUndefined();
    expect(meter.sample(900, 900_000)).toBeUndefined();
    expect(meter.sample(1000, 1_000_000)).toBe(8_000_000);
    expect(meter.sample(2000, 1_000_000)).toBe(0);
  });
});
