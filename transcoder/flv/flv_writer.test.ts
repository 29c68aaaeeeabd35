import { describe, expect, it } from 'vitest';
import { flvHeader, flvTags } from './flv_writer.ts';

describe('flvHeader', () => {
  it.each([
    [{ audio: true, video: true }, '464c5601050000000900000000'],
    [{ audio: true, video: false }, '464c5601040000000900000000'],
    [{ audio: false, video: true }, '464c5601010000000900000000'],
  ])('%o', (tracks, hex) => {
    expect(flvHeader(tracks).toString('hex')).toBe(hex);
  });
});

/** Timestamp and TimestampExtended as written. */
function at(timestampMs: number): string {
  return flvTags([{ kind: 'audio', timestampMs, body: Buffer.alloc(0) }]).toString('hex', 4, 8);
}

describe('flvTags', () => {
  it('writes header, body and previous tag size of each', () => {
    const tags = [
      { kind: 'video', timestampMs: 1000, body: Buffer.from('1701', 'hex') },
      { kind: 'audio', timestampMs: 0x1_02_03_04, body: Buffer.from('af', 'hex') },
    ] as const;
    expect(flvTags(tags).toString('hex')).toBe(
      [
        ['09000002', '0003e800', '000000', '1701', '0000000d'],
        ['08000001', '02030401', '000000', 'af', '0000000c'],
      ]
        .flat()
        .join(''),
    );
  });

  it('wraps at 2^32 ms and keeps times at 0 and above', () => {
    expect(at(2 ** 32 + 5)).toBe('00000500');
    expect(at(2 ** 31)).toBe('00000080');
    expect(at(-3)).toBe('00000000');
  });

  it('refuses a body that the format cannot express', () => {
    const body = Buffer.alloc(0x1000000);
    expect(() => flvTags([{ kind: 'video', timestampMs: 0, body }])).toThrow(RangeError);
  });
});
