import { describe, expect, it } from 'vitest';
import {
  DEFAULT_ENCODER_SETTINGS,
  encodeThreads,
  EncoderSettingsError,
  parseEncoderSettings,
  x264Params,
} from './encoder_settings.ts';

describe('parseEncoderSettings', () => {
  it('changes what is named', () => {
    expect(parseEncoderSettings('')).toEqual({ ...DEFAULT_ENCODER_SETTINGS, threads: undefined });
    expect(parseEncoderSettings('bframes=0,threads=2')).toEqual({
      preset: DEFAULT_ENCODER_SETTINGS.preset,
      x264: { ...DEFAULT_ENCODER_SETTINGS.x264, bframes: '0' },
      threads: 2,
    });
    expect(parseEncoderSettings('preset=veryfast, no-mbtree,partitions=i4x4+p8x8')).toEqual({
      preset: 'veryfast',
      x264: { 'no-mbtree': '1', partitions: 'i4x4,p8x8' },
      threads: undefined,
    });
  });

  it.each([
    ['preset=placebo', 'wanted one of ultrafast'],
    ['threads=0', 'wanted from 1 to 99'],
    ['keyint=10', 'unknown or not adjustable'],
    ['vbv-maxrate=1', 'unknown or not adjustable'],
    ['stats=/etc/passwd', 'wanted a form'],
    ['ref=1:stats=x', 'wanted a form'],
    ['ref=1=2', 'wanted a form'],
  ])('%s is refused', (text, message) => {
    expect(() => parseEncoderSettings(text)).toThrow(EncoderSettingsError);
    expect(() => parseEncoderSettings(text)).toThrow(message);
  });
});

describe('x264Params', () => {
  it('always keeps key frames on the grid', () => {
    expect(x264Params({ preset: 'fast', x264: { bframes: '2' } })).toBe('bframes=2:scenecut=0:open-gop=0');
  });
});

describe('encodeThreads', () => {
  it.each([
    [640, 360, 30, 1],
    [1280, 720, 30, 1],
    [1280, 720, 25, 1],
    [1280, 720, 60, 2],
    [1920, 1080, 30, 3],
    [3840, 2160, 60, 8],
  ])('%dx%d at %d: %d', (width, height, rate, threads) => {
    expect(encodeThreads(DEFAULT_ENCODER_SETTINGS, { width, height }, rate)).toBe(threads);
    expect(encodeThreads({ ...DEFAULT_ENCODER_SETTINGS, threads: 5 }, { width, height }, rate)).toBe(5);
  });
});
