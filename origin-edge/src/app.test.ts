import { describe, expect, it } from 'vitest';
import { record, reply, scriptedEdge } from './testing/scripted_edge.ts';

const MEDIA = '/demo/5/720p/7.m4s';
const BODY = 'x'.repeat(1000);

function mediaEdge() {
  const edge = scriptedEdge();
  edge.upstream = async () => Promise.resolve(reply(200, BODY, { etag: '"5-7"', 'content-type': 'video/mp4' }));
  return edge;
}

describe('every reply', () => {
  it.each([
    ['GET', MEDIA, 200],
    ['HEAD', MEDIA, 200],
    ['GET', '/nobody/live.m3u8', 404],
    ['GET', '/nonsense', 404],
    ['GET', '/demo/720p/index.m3u8?_HLS_msn=x', 400],
    ['POST', MEDIA, 405],
    ['DELETE', '/watch', 405],
    ['OPTIONS', MEDIA, 204],
    ['OPTIONS', '/nonsense', 204],
    ['GET', '/', 302],
    ['GET', '/livez', 200],
    ['GET', '/readyz', 200],
    ['GET', '/metrics', 404],
    ['GET', '/watch', 200],
    ['GET', '/watch/demo', 200],
    ['GET', '/watch/NO', 404],
    ['GET', '/embed/demo', 200],
    ['GET', '/watch/assets/0/none.js', 200],
  ])('to %s %s (%i) has CORS, Cache-Control and nosniff', async (method, path, status) => {
    const response = await mediaEdge().get(path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-expose-headers')).toContain('Content-Length');
    expect(response.headers.get('cache-control')).toMatch(/no-store|max-age=\d/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const isProblem = status >= 400 && !path.startsWith('/watch/');
    expect(response.headers.get('content-type') === 'application/problem+json').toBe(isProblem);
    expect(response.headers.has('allow')).toBe(status === 405 || status === 204);
  });
});

describe('media', () => {
  it('is fetched once, kept, and aged', async () => {
    const edge = mediaEdge();
    expect(await (await edge.get(MEDIA)).text()).toBe(BODY);
    await edge.clock.advance(3_600_000);
    const again = await edge.get(MEDIA);
    expect(again.headers.get('age')).toBe('3600');
    expect(again.headers.get('cache-control')).toBe('public, max-age=1209600, immutable');
    expect(edge.asked).toEqual({ registry: 1, urls: [`http://10.0.0.1:8000${MEDIA}`] });
    expect(edge.counters).toMatchObject({ requests: 2, memoryHits: 1, upstreamRequests: 1 });
  });

  it.each([
    ['/demo/live.m3u8', [31_000, 3000]],
    ['/demo/5/720p/7.1.m4s', [31_000, 3000]],
  ])('%s is not waited for twice as long when the stream moved meanwhile', async (path, wanted) => {
    const edge = mediaEdge();
    const waits: number[] = [];
    edge.upstream = async (_, { timeoutMs }) => {
      waits.push(timeoutMs);
      const moved = { epochNumber: 6, address: { private: 'http://10.0.0.2:8000' } };
      edge.registry = async () => Promise.resolve(record(moved));
      await edge.clock.advance(timeoutMs);
      throw new Error('timeout');
    };
    expect((await edge.get(path)).status).toBe(503);
    expect(waits).toEqual(wanted);
  });

  it('asks upstream for the path alone, whatever the query', async () => {
    const edge = mediaEdge();
    await edge.get(`${MEDIA}?token=secret&CMCD=x`);
    await edge.get(`${MEDIA}?other=1`);
    expect(edge.asked.urls).toEqual([`http://10.0.0.1:8000${MEDIA}`]);
  });

  it('answers HEAD without a body, from the same object', async () => {
    const edge = mediaEdge();
    const head = await edge.get(MEDIA, { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['1000', '']);
    await edge.get(MEDIA);
    expect(edge.asked.urls).toHaveLength(1);
  });

  it.each([
    [{ range: 'bytes=0-9' }, 206, 'bytes 0-9/1000', '10'],
    [{ range: 'bytes=-5' }, 206, 'bytes 995-999/1000', '5'],
    [{ range: 'bytes=1000-' }, 416, 'bytes */1000', '67'],
    [{ range: 'bytes=0-1,5-6' }, 200, null, '1000'],
    [{ range: 'bytes=0-9', 'if-range': '"5-7"' }, 206, 'bytes 0-9/1000', '10'],
    [{ range: 'bytes=0-9', 'if-range': '"old"' }, 200, null, '1000'],
    [{ 'if-none-match': '"5-7"' }, 304, null, null],
    [{ 'if-none-match': '"a", W/"5-7"' }, 304, null, null],
    [{ 'if-none-match': '*' }, 304, null, null],
    [{ 'if-none-match': '"old"' }, 200, null, '1000'],
  ])('with %j: %i', async (headers, status, contentRange, contentLength) => {
    const response = await mediaEdge().get(MEDIA, { headers });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(contentLength);
    const { byteLength } = await response.arrayBuffer();
    expect(String(byteLength)).toBe(contentLength ?? String(byteLength));
    expect(response.headers.get('etag')).toBe(status === 416 ? null : '"5-7"');
  });

  it('comes from the server that holds its epoch', async () => {
    const edge = mediaEdge();
    edge.registry = async () =>
      Promise.resolve(
        record({
          epochNumber: 9,
          address: { private: 'http://10.0.0.9:8000' },
          previous: [{ epoch: record().epoch, address: { private: 'http://10.0.0.5:8000/' } }],
        }),
      );
    await edge.get('/demo/5/720p/7.m4s');
    await edge.get('/demo/9/720p/7.m4s');
    await edge.get('/demo/7/720p/7.m4s');
    expect(edge.asked.urls).toEqual([
      'http://10.0.0.5:8000/demo/5/720p/7.m4s',
      'http://10.0.0.9:8000/demo/9/720p/7.m4s',
      'http://10.0.0.9:8000/demo/7/720p/7.m4s',
    ]);
  });

  it('of an epoch ahead of the record makes the edge ask the registry again', async () => {
    const edge = mediaEdge();
    let epochNumber = 5;
    edge.registry = async () => Promise.resolve(record({ epochNumber }));
    await edge.get(MEDIA);
    epochNumber = 6;
    await edge.clock.advance(300);
    expect((await edge.get('/demo/6/720p/8.m4s')).status).toBe(200);
    expect((await edge.get('/demo/8/720p/8.m4s')).status).toBe(404);
  });

  it('that is not there is remembered for a second', async () => {
    const edge = scriptedEdge();
    for (let count = 0; count < 3; count += 1) {
      const response = await edge.get(MEDIA);
      expect([response.status, response.headers.get('cache-control')]).toEqual([404, 'public, max-age=1']);
    }
    expect(edge.asked.urls).toHaveLength(1);
    await edge.clock.advance(1000);
    await edge.get(MEDIA);
    expect(edge.asked.urls).toHaveLength(2);
  });

  it.each([
    ['is dead', async () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:8000'))],
    ['is broken', async () => Promise.resolve(reply(500, 'stack trace'))],
    ['refuses our token', async () => Promise.resolve(reply(401))],
  ])('of a server that %s: 503, not cached by others, no stampede', async (_, upstream) => {
    const edge = scriptedEdge();
    edge.upstream = upstream;
    const replies = await Promise.all(Array.from({ length: 20 }, async () => edge.get(MEDIA)));
    for (const response of replies) {
      expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store']);
      expect(await response.text()).toBe('{"type":"about:blank","status":503,"title":"Service Unavailable"}');
    }
    expect(edge.asked.urls).toHaveLength(1);
  });

  it('is not fetched from an address that is not allowed', async () => {
    const edge = mediaEdge();
    edge.registry = async () => Promise.resolve(record({ address: { private: 'http://169.254.169.254' } }));
    expect((await edge.get(MEDIA)).status).toBe(503);
    expect(edge.asked.urls).toEqual([]);
    expect(edge.counters.upstreamRefused).toBe(1);
  });

  it('of a stream that is not public is refused, from memory too', async () => {
    const edge = mediaEdge();
    edge.registry = async () => Promise.resolve(record({ playback: 'signed' }));
    const response = await edge.get(MEDIA);
    expect([response.status, response.headers.get('cache-control')]).toEqual([401, 'no-store']);
    expect(edge.asked.urls).toEqual([]);
  });
});

describe('a failure inside', () => {
  it('shows nothing and is logged', async () => {
    const edge = scriptedEdge({ compression: { gzip: async () => Promise.reject(new Error('inner secret')) } });
    edge.upstream = async () => Promise.resolve(reply(200, 'p'.repeat(500)));
    const response = await edge.get('/demo/status.json?token=abc', { headers: { 'accept-encoding': 'gzip' } });
    expect([response.status, response.headers.get('cache-control')]).toEqual([500, 'no-store']);
    expect(await response.text()).toBe('{"type":"about:blank","status":500,"title":"Internal Server Error"}');
    expect(edge.log.join('\n')).toContain('inner secret');
    expect(edge.log.join('\n')).not.toContain('abc');
  });
});

describe('status and poster', () => {
  it('say what the registry knows while the server is away', async () => {
    const edge = scriptedEdge();
    edge.upstream = async () => Promise.reject(new Error('away'));
    const response = await edge.get('/demo/status.json');
    expect(await response.json()).toEqual({
      streamId: 'demo',
      live: true,
      state: 'live',
      sessionId: '01JBX0000000000000000000AA',
      startedAt: '1970-01-01T00:00:00.000Z',
      renditions: [],
      recordings: [],
    });
  });

  it('keep the last picture while the server is away', async () => {
    const edge = mediaEdge();
    await edge.get('/demo/poster.jpg');
    edge.upstream = async () => Promise.reject(new Error('away'));
    await edge.clock.advance(60_000);
    const response = await edge.get('/demo/poster.jpg');
    expect([response.status, await response.text()]).toEqual([200, BODY]);
  });
});
