import { describe, expect, it } from 'vitest';
import { restartDelayMs, statusDelayMs } from './retry_delay.js';
import { renditionOfPlaylist, streamUrls } from './stream_urls.js';

describe('streamUrls', () => {
  it('passes a playback token on, and nothing else of the page’s query', () => {
    expect(streamUrls('demo', '')).toEqual({
      playlist: '/demo/live.m3u8',
      status: '/demo/status.json',
      poster: '/demo/poster.jpg',
    });
    expect(streamUrls('demo', '?a=1&token=x.y%26z').playlist).toBe('/demo/live.m3u8?token=x.y%26z');
  });
});

describe('renditionOfPlaylist', () => {
  it.each([
    ['https://a.example/demo/720p/index.m3u8', '720p'],
    ['/demo/360p/index.m3u8?token=x', '360p'],
    ['/demo/live.m3u8', undefined],
    ['/demo/720p/index.m3u8x', undefined],
  ])('%s: %s', (url, name) => expect(renditionOfPlaylist(url)).toBe(name));
});

describe('the delays', () => {
  const middle = (): number => 0.5;

  it('asks rarely when hidden or unanswered, never exactly together', () => {
    const at = (playing: boolean, hiddenAsks: number, failures: number): number =>
      statusDelayMs({ playing, hiddenAsks, failures }, middle);
    expect([at(false, 0, 0), at(true, 0, 0), at(false, 1, 0), at(false, 99, 0), at(false, 0, 99)]).toEqual([
      2000, 4000, 4000, 30_000, 15_000,
    ]);
    const spread = [0, 0.999].map((chance) =>
      statusDelayMs({ playing: false, hiddenAsks: 0, failures: 0 }, () => chance),
    );
    expect(spread[0]).toBe(1600);
    expect(spread[1]).toBeCloseTo(2400, -1);
  });

  it('begins anew at once, then after 1, 2, 4, 8 s', () => {
    expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => restartDelayMs(attempt, middle))).toEqual([
      0, 1000, 2000, 4000, 8000, 8000, 8000,
    ]);
  });
});
