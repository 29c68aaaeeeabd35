import { describe, expect, it } from 'vitest';
import type { UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { playlistReply, record, reply, scriptedEdge } from './testing/scripted_edge.ts';
import { settle } from './testing/manual_clock.ts';

const PLAYLIST = '/demo/720p/index.m3u8';

async function bodyAndStatus(response: Response): Promise<readonly [number, string]> {
  return [response.status, await response.text()];
}

/** An edge that has seen the playlist `first`, at 10.2, with a target duration of 2 s. */
async function warmEdge() {
  const edge = scriptedEdge();
  edge.upstream = async () => Promise.resolve(playlistReply('first'));
  await edge.get(PLAYLIST);
  await edge.clock.advance(1000);
  return edge;
}

describe('a plain reload', () => {
  it('is fetched once in half a second for all, and never kept longer by others than a second', async () => {
    const edge = scriptedEdge();
    edge.upstream = async () => Promise.resolve(playlistReply('first'));
    const replies = await Promise.all(Array.from({ length: 100 }, async () => edge.get(PLAYLIST)));
    expect(replies[99]?.headers.get('cache-control')).toBe('public, max-age=1');
    expect([...(replies[99]?.headers.keys() ?? [])].filter((name) => name.startsWith('x-headwater'))).toEqual([]);
    expect(edge.asked.urls).toHaveLength(1);
    await edge.clock.advance(500);
    await edge.get(PLAYLIST);
    expect(edge.asked.urls).toHaveLength(2);
  });

  it.each([
    ['dies', async () => Promise.reject(new Error('away'))],
    ['answers 500', async () => Promise.resolve(reply(500))],
    ['answers 404', async () => Promise.resolve(reply(404))],
    ['answers 400', async () => Promise.resolve(reply(400))],
    ['says nonsense', async () => Promise.resolve(reply(200, '<html>'))],
    ['goes back an epoch', async () => Promise.resolve(playlistReply('older', { epoch: 4, position: '50.0' }))],
  ])('gets the last known playlist when the server %s', async (_, upstream) => {
    const edge = await warmEdge();
    edge.upstream = upstream;
    expect(await bodyAndStatus(await edge.get(PLAYLIST))).toEqual([200, 'first']);
    expect(edge.counters.lastKnownPlaylists).toBe(1);
  });

  it('gives a silent server three seconds', async () => {
    const edge = await warmEdge();
    let timeoutMs = 0;
    edge.upstream = async (_, limits) => {
      ({ timeoutMs } = limits);
      throw new Error('timeout');
    };
    await edge.get(PLAYLIST);
    expect(timeoutMs).toBe(3000);
  });

  it('gets the last known playlist while the registry is down as well', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.reject(new Error('away'));
    edge.registry = async () => Promise.reject(new Error('down'));
    await edge.clock.advance(60_000);
    expect(await bodyAndStatus(await edge.get(PLAYLIST))).toEqual([200, 'first']);
  });

  it('is closed with ENDLIST once the session is over and its server gone', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.reject(new Error('away'));
    edge.registry = async () => Promise.resolve(record({ state: 'ended' }));
    const response = await edge.get(PLAYLIST);
    expect(await bodyAndStatus(response)).toEqual([200, 'first\n#EXT-X-ENDLIST\n']);
    expect(response.headers.get('cache-control')).toBe('public, max-age=1');
  });

  it('lists no parts once its server is gone, which took them with it', async () => {
    const edge = scriptedEdge();
    const text = '#EXTM3U\n#EXT-X-PART:DURATION=1,URI="10.0.m4s"\n10.m4s\n#EXT-X-ENDLIST\n';
    edge.upstream = async () => Promise.resolve(playlistReply(text, { state: 'ended' }));
    edge.registry = async () => Promise.resolve(record({ state: 'ended' }));
    expect(await (await edge.get(PLAYLIST)).text()).toBe(text);
    edge.upstream = async () => Promise.resolve(reply(404));
    await edge.clock.advance(130_000);
    expect(await (await edge.get(PLAYLIST)).text()).toBe('#EXTM3U\n10.m4s\n#EXT-X-ENDLIST\n');
  });

  it('is 404 when the session has been over for ten minutes and nobody knows it', async () => {
    const edge = await warmEdge();
    edge.registry = async () => Promise.resolve(undefined);
    await edge.clock.advance(60_000);
    expect((await edge.get(PLAYLIST)).status).toBe(200);
    await edge.clock.advance(600_000);
    expect((await edge.get(PLAYLIST)).status).toBe(404);
  });

  it('is 404 for a rendition that the stream does not have, at once', async () => {
    const edge = scriptedEdge();
    expect((await edge.get('/demo/999p/index.m3u8')).status).toBe(404);
    expect(edge.asked.urls).toHaveLength(1);
  });

  it('on an edge that knows nothing waits for the owner, and follows it', async () => {
    const edge = scriptedEdge();
    edge.upstream = async (url) => {
      if (url.startsWith('http://10.0.0.2')) return Promise.resolve(playlistReply('moved', { epoch: 6 }));
      throw new Error('away');
    };
    const waiting = edge.get(PLAYLIST);
    await edge.clock.advance(2000);
    edge.registry = async () =>
      Promise.resolve(record({ epochNumber: 6, address: { private: 'http://10.0.0.2:8000' } }));
    await edge.clock.advance(1000);
    expect(await bodyAndStatus(await waiting)).toEqual([200, 'moved']);
  });

  it('on an edge that knows nothing is 503 after eight seconds', async () => {
    const edge = scriptedEdge();
    edge.upstream = async () => Promise.reject(new Error('away'));
    const waiting = edge.get(PLAYLIST);
    await edge.clock.advance(8000);
    const response = await waiting;
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  });
});

describe('a blocking reload', () => {
  it('has one key for one meaning, and is kept for six target durations', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.resolve(playlistReply('next', { position: '10.3' }));
    const first = await edge.get(`${PLAYLIST}?_HLS_part=2&token=a&_HLS_msn=010`);
    expect(first.headers.get('cache-control')).toBe('public, max-age=12');
    await edge.clock.advance(11_000);
    await edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2&token=b`);
    expect(edge.asked.urls.slice(1)).toEqual([`http://10.0.0.1:8000${PLAYLIST}?_HLS_msn=10&_HLS_part=2`]);
  });

  it('is one request upstream for all who wait, whoever leaves', async () => {
    const edge = await warmEdge();
    const { promise: answer, resolve } = Promise.withResolvers<UpstreamReply>();
    edge.upstream = async () => answer;
    const gone = new AbortController();
    const waiting = Array.from({ length: 200 }, async (_, index) =>
      edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2`, index % 2 === 0 ? { signal: gone.signal } : {}),
    );
    await settle();
    gone.abort();
    resolve(playlistReply('next', { position: '10.3' }));
    expect(await (await waiting[1])?.text()).toBe('next');
    await Promise.all(waiting);
    expect(edge.asked.urls).toHaveLength(2);
  });

  it('that ended without what it waited for is kept for a moment only', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.resolve(playlistReply('same', { position: '10.2' }));
    const response = await edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=1');
  });

  it('outlives its server: the new owner answers it', async () => {
    const edge = await warmEdge();
    edge.upstream = async (url) => {
      if (url.startsWith('http://10.0.0.2'))
        return Promise.resolve(playlistReply('moved', { epoch: 6, position: '14.1' }));
      throw new Error('away');
    };
    const waiting = edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2`);
    await edge.clock.advance(3000);
    edge.registry = async () =>
      Promise.resolve(record({ epochNumber: 6, address: { private: 'http://10.0.0.2:8000' } }));
    await edge.clock.advance(1000);
    expect(await bodyAndStatus(await waiting)).toEqual([200, 'moved']);
  });

  it('ends after three target durations with the state as it is', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.reject(new Error('away'));
    let done = false;
    const waiting = edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2`).finally(() => (done = true));
    await edge.clock.advance(5900);
    expect(done).toBe(false);
    await edge.clock.advance(200);
    const response = await waiting;
    expect(response.headers.get('cache-control')).toBe('public, max-age=1');
    expect(await bodyAndStatus(response)).toEqual([200, 'first']);
  });

  it('too far ahead asks the registry again, then is 400', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.resolve(reply(400));
    const waiting = edge.get(`${PLAYLIST}?_HLS_msn=99`);
    await edge.clock.advance(500);
    const response = await waiting;
    expect([response.status, response.headers.get('cache-control')]).toEqual([400, 'no-store']);
    expect(edge.asked.registry).toBe(3);
  });

  it('ahead of an old owner finds the new one', async () => {
    const edge = await warmEdge();
    edge.upstream = async (url) =>
      Promise.resolve(
        url.startsWith('http://10.0.0.2') ? playlistReply('moved', { epoch: 6, position: '21.0' }) : reply(400),
      );
    const waiting = edge.get(`${PLAYLIST}?_HLS_msn=20`);
    await settle();
    edge.registry = async () =>
      Promise.resolve(record({ epochNumber: 6, address: { private: 'http://10.0.0.2:8000' } }));
    await edge.clock.advance(500);
    expect(await bodyAndStatus(await waiting)).toEqual([200, 'moved']);
  });

  it('for a delta update does not become what others get in full', async () => {
    const edge = await warmEdge();
    edge.upstream = async () => Promise.resolve(playlistReply('delta', { position: '10.3' }));
    await edge.get(`${PLAYLIST}?_HLS_msn=10&_HLS_part=2&_HLS_skip=YES`);
    edge.upstream = async () => Promise.reject(new Error('away'));
    expect(await (await edge.get(PLAYLIST)).text()).toBe('first');
  });
});

describe('gzip', () => {
  const text = '#EXTM3U\n'.repeat(100);

  it('is made once per version, and only for those who take it', async () => {
    let made = 0;
    const edge = scriptedEdge({
      compression: {
        gzip: (bytes) => {
          made += 1;
          return bytes.subarray(0, 7);
        },
      },
    });
    edge.upstream = async () => Promise.resolve(playlistReply(text));
    for (const coding of ['gzip', 'br, gzip;q=0.5', '*', 'deflate, GZIP']) {
      const response = await edge.get(PLAYLIST, { headers: { 'accept-encoding': coding } });
      expect([coding, response.headers.get('content-encoding'), response.headers.get('content-length')]).toEqual([
        coding,
        'gzip',
        '7',
      ]);
      expect(response.headers.get('vary')).toBe('Accept-Encoding');
      expect(response.headers.get('etag')).toBe('"800-gz"');
    }
    for (const coding of ['identity', 'gzip;q=0', 'br', 'gzip;q=0.0, br', 'gzipped']) {
      const response = await edge.get(PLAYLIST, { headers: { 'accept-encoding': coding } });
      expect([coding, response.headers.get('content-encoding'), await response.text()]).toEqual([coding, null, text]);
      expect(response.headers.get('vary')).toBe('Accept-Encoding');
    }
    expect(made).toBe(1);
  });

  it('by the platform gives the same text back', async () => {
    const edge = scriptedEdge();
    edge.upstream = async () => Promise.resolve(playlistReply(text));
    const response = await edge.get(PLAYLIST, { headers: { 'accept-encoding': 'gzip' } });
    const plain = new Blob([await response.arrayBuffer()]).stream().pipeThrough(new DecompressionStream('gzip'));
    expect(await new Response(plain).text()).toBe(text);
  });
});
