import { describe, expect, it } from 'vitest';
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
