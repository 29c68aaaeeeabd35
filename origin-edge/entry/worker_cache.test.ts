import { describe, expect, it } from 'vitest';
import { cachedRequest, packedFor } from './worker_cache.ts';

describe('what goes to the cached entrypoint', () => {
  it('is the same for all viewers of an object', () => {
    const request = new Request('https://watch.example/demo/720p/index.m3u8?token=a.b.c&CMCD=bl%3D1', {
      headers: {
        authorization: 'Bearer a.b.c',
        cookie: 'hw_token=a.b.c',
        'accept-encoding': 'gzip',
        'cmcd-session': 'sid="x"',
        'if-none-match': '"1-gz"',
        range: 'bytes=0-1',
      },
    });
    const shared = cachedRequest(request, '/demo/720p/index.m3u8');
    expect(shared.url).toBe('https://watch.example/demo/720p/index.m3u8');
    expect(Object.fromEntries(shared.headers)).toEqual({ 'if-none-match': '"1"', range: 'bytes=0-1' });
  });
});

describe('what comes back', () => {
  const playlist = (): Response =>
    new Response('#EXTM3U', {
      headers: { 'content-type': 'application/vnd.apple.mpegurl', etag: '"1"', 'content-length': '7' },
    });

  it('is packed for those who take it, and is another representation then', () => {
    const packed = packedFor('br, gzip', playlist());
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(packed.headers.get('etag')).toBe('"1-gz"');
    expect(packed.headers.get('content-length')).toBeNull();
  });

  it.each([null, 'br', 'gzip;q=0', 'gzip;q=0.0, br', 'x-gzip'])('stays as it is for %s', (acceptEncoding) => {
    expect(packedFor(acceptEncoding, playlist()).headers.get('content-encoding')).toBeNull();
  });

  it('leaves media as they are', () => {
    const media = new Response('x', { headers: { 'content-type': 'video/mp4' } });
    expect(packedFor('gzip', media)).toBe(media);
  });
});
