import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAacConfig } from './aac_config.ts';
import { CodecConfigError } from './codec_config_error.ts';

describe('parseAacConfig', () => {
  it.each([
    ['1190', { objectType: 2, sampleRate: 48_000, channels: 2 }],
    ['1210', { objectType: 2, sampleRate: 44_100, channels: 2 }],
    ['1208', { objectType: 2, sampleRate: 44_100, channels: 1 }],
    ['11b0', { objectType: 2, sampleRate: 48_000, channels: 6 }],
    ['2b118800', { objectType: 5, sampleRate: 48_000, channels: 2 }],
    ['eb098800', { objectType: 29, sampleRate: 48_000, channels: 2 }],
    ['1780558090', { objectType: 2, sampleRate: 43_777, channels: 2 }],
    ['1180', { objectType: 2, sampleRate: 48_000, channels: 0 }],
  ])('%s', (hex, wanted) => {
    expect(parseAacConfig(Buffer.from(hex, 'hex'))).toEqual(wanted);
  });

  it.each([
    ['', 'cut off'],
    ['11', 'cut off'],
    ['0190', 'object type 0'],
    ['1690', 'rate index 13'],
    ['11c0', 'channel configuration 8'],
  ])('%s is refused: %s', (hex, message) => {
    expect(() => parseAacConfig(Buffer.from(hex, 'hex'))).toThrow(message);
  });

  it('throws nothing else for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        try {
          expect(parseAacConfig(bytes).sampleRate).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof CodecConfigError)) throw error;
        }
      }),
    );
  });
});
