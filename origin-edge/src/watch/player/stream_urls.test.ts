import { describe, expect, it } from 'vitest';
import { pageQuery, renditionOfPlaylist, streamUrls } from './stream_urls.js';

describe('streamUrls', () => {
  it('passes a playback token on, and nothing else of the page’s query', () => {
    expect(streamUrls('demo', '')).toEqual({
      playlist: '/demo/live.m3u8',
      rewind: '/demo/rewind.m3u8',
      recording: undefined,
      status: '/demo/status.json',
      poster: '/demo/poster.jpg',
    });
    expect(streamUrls('demo', '?a=1&token=x.y%26z').playlist).toBe('/demo/live.m3u8?token=x.y%26z');
  });

  it('finds the recording that a page is for, and nothing that is none', () => {
    const vod = '01JBX0000000000000000000AA';
    expect(streamUrls('demo', `?vod=${vod}&token=x`).recording).toBe(`/demo/vod-${vod}.m3u8?token=x`);
    expect(streamUrls('demo', '?vod=../../x').recording).toBe('/demo/vod-unknown.m3u8');
  });

  it('leads from live to a recording and back, with the token', () => {
    expect(pageQuery('?token=x', 'ID')).toBe('?token=x&vod=ID');
    expect(pageQuery('?token=x&vod=ID', undefined)).toBe('?token=x');
    expect(pageQuery('?vod=ID', undefined)).toBe('');
  });
});

describe('renditionOfPlaylist', () => {
  it.each([
    ['https://a.example/demo/720p/index.m3u8', '720p'],
    ['/demo/360p/index.m3u8?token=x', '360p'],
    ['/demo/rewind/720p.m3u8', '720p'],
    ['/demo/vod-01JBX0000000000000000000AA/720p.m3u8?token=x', '720p'],
    ['/demo/vod-01JBX0000000000000000000AA.m3u8', undefined],
    ['/demo/live.m3u8', undefined],
    ['/demo/720p/index.m3u8x', undefined],
  ])('%s: %s', (url, name) => expect(renditionOfPlaylist(url)).toBe(name));
});
