import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAvcConfig } from './avc_config.ts';
import { CodecConfigError } from './codec_config_error.ts';

/** Written by x264 for the named picture; sampleAspectRatio to four digits. */
const CORPUS = [
  {
    name: '1366x768, Baseline, 23.976 fps, samples of 0.75',
    hex: '0142c020ffe1001b6742c020da01581879bffc08000aac400000fa40002ee003c60ca801000468ce0fc8',
    wanted: { profile: 66, level: 32, width: 1366, height: 768, frameRate: 24_000 / 1001, sampleAspectRatio: 0.7496 },
  },
  {
    name: '1920x1080 interlaced',
    hex: '014d4028ffe1001d674d4028f403c0227efff000300041000003000100000300321f162ea001000468de0fc8',
    wanted: { profile: 77, level: 40, width: 1920, height: 1080, progressive: false, frameRate: 25 },
  },
  {
    name: '481x361, 4:4:4, 10 bits',
    hex: '01f4001effe1001f67f4001e90d9681f0bf84223ff05a405a310000003001000000303c0f162ea01000568ce0f1920fffafa00',
    wanted: { profile: 244, width: 481, height: 361, chromaFormat: 3, bitDepth: 10, sampleAspectRatio: 1.0007 },
  },
  {
    name: '640x360, 4:2:2',
    hex: '017a001fffe1001e677a001fbcb405017fc4ffe000600082000003000200000300c81e30654001000468ce0fc8fef8f800',
    wanted: { profile: 122, width: 640, height: 360, chromaFormat: 2, frameRate: 50 },
  },
  {
    name: '640x480 monochrome',
    hex: '0164001effe100196764001ef2d01407b602d90000030001000003003c0f162ea001000468ce0fc8fcf8f800',
    wanted: { profile: 100, width: 640, height: 480, chromaFormat: 0, bitDepth: 8, sampleAspectRatio: 1 },
  },
  {
    name: '720x480 with a scaling matrix and an extended sample aspect ratio',
    hex: '0164001effe1001a6764001eacb405a1edff819001bd8800001f480007530078b17501000568ce0fc40cfdf8f800',
    wanted: { width: 720, height: 480, frameRate: 30_000 / 1001, codecString: 'avc1.64001e' },
  },
  {
    name: '3840x2160 at 60 fps',
    hex: '0142c034ffe1001d6742c034da00f0010fbff000300041000003000100000300780f1832a001000468ce0fc8',
    wanted: { width: 3840, height: 2160, level: 52, frameRate: 60, codecString: 'avc1.42c034', nalLengthSize: 4 },
  },
];

describe('parseAvcConfig', () => {
  it.each(CORPUS)('$name', ({ hex, wanted }) => {
    const config = parseAvcConfig(Buffer.from(hex, 'hex'));
    expect({ ...config, sampleAspectRatio: Number(config.sampleAspectRatio.toFixed(4)) }).toMatchObject(wanted);
  });

  it.each([
    ['with B-frames', '01640016ffe1001a67640016acec0a02ff970110000003001000000301e0f162d38001000468efbcb0', 1],
    ['without', '0142c01effe100196742c01eda0280bfe5c044000003000400000300f23c58ba8001000468ce0fc8', 0],
    ['cut off before it says', '0142c01effe100156742c01eda0280bfe5c044000003000400000300f201000468ce0fc8', undefined],
  ])('frames out of order: %s', (_, hex, wanted) => {
    expect(parseAvcConfig(Buffer.from(hex, 'hex')).reorderFrames).toBe(wanted);
  });

  it.each([
    ['', 'has 0 bytes'],
    ['0042c020ffe1001b', 'has version 0'],
    ['0142c020fee1001b', 'NAL length size of 3'],
    ['0142c020ffe0001b', 'no sequence parameter set'],
    ['0142c020ffe1001b6742c020da01581879', 'cut off in its SPS'],
    ['0142c020ffe1000468ce0fc8', 'NAL type 8'],
    ['0142c020ffe100056742c020da', 'cut off'],
    ['0142c020ffe1000a6742c0200000000000000000', 'exp-Golomb'],
  ])('%s is refused: %s', (hex, message) => {
    expect(() => parseAvcConfig(Buffer.from(hex, 'hex'))).toThrow(CodecConfigError);
    expect(() => parseAvcConfig(Buffer.from(hex, 'hex'))).toThrow(message);
  });

  it('throws nothing else for any bytes', () => {
    const damaged = fc
      .tuple(
        fc.constantFrom(...CORPUS.map(({ hex }) => hex)),
        fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 8 }),
        fc.nat(60),
      )
      .map(([hex, changes, length]) => {
        const bytes = Buffer.from(hex, 'hex');
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return length === 0 ? bytes : bytes.subarray(0, length);
      });
    const raw = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, raw), (bytes) => {
        try {
          const { width, height, codecString } = parseAvcConfig(bytes);
          expect(width).toBeGreaterThan(0);
          expect(height).toBeGreaterThan(0);
          expect(codecString).toMatch(/^avc1\.[0-9a-f]{6}$/);
        } catch (error) {
          if (!(error instanceof CodecConfigError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});
