import { describe, expect, it } from 'vitest';
import { DEFAULT_LADDER, LadderSyntaxError, parseLadder } from './ladder_rungs.ts';

describe('parseLadder', () => {
  it('reads the default ladder, in any order', () => {
    expect(parseLadder('720p:2.8M:2996k:128k, 360p:800k:856k:96k,480p:1400000:1498000:128000')).toEqual(DEFAULT_LADDER);
  });

  it('fills in the highest bitrate', () => {
    expect(parseLadder('1080p:5M::160k')[0]).toEqual({
      shortSide: 1080,
      videoBitrate: 5_000_000,
      maxRate: 5_350_000,
      audioBitrate: 160_000,
    });
  });

  it.each([
    ['', 'has no rung'],
    ['720p', 'rung "720p": wanted a form such as'],
    ['720p:2800k:2996k', 'wanted a form'],
    ['720:2800k:2996k:128k', 'wanted a form'],
    ['721p:2800k:2996k:128k', 'must be even'],
    ['720p:fast:2996k:128k', 'video bitrate "fast", wanted from 50k'],
    ['720p:2800k:1000k:128k', 'is below the video bitrate'],
    ['720p:2800k:2996k:1k', 'audio bitrate "1k", wanted from 32k to 320k'],
    ['720p:1M::128k,720p:2M::128k', 'two rungs of the same size'],
    [Array.from({ length: 9 }, (_, index) => `${100 + index * 2}p:1M::128k`).join(','), 'has 9 rungs'],
  ])('%s is refused', (text, message) => {
    expect(() => parseLadder(text)).toThrow(LadderSyntaxError);
    expect(() => parseLadder(text)).toThrow(message);
  });
});
