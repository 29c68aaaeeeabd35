/**
 * What the edge promises, on each runtime that it runs on, as a process in front of a real media server.
 */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../one_machine/eventually.ts';
import { startEdgeBench, startSuccessor } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import type { Runtime } from './edge_process.ts';
import { LiveFixture, RENDITION, recordOf } from './live_fixture.ts';

const PLAYLIST = `/demo/${RENDITION}/index.m3u8`;

const SECRET = 'a-playback-secret-of-the-edge-tests';

async function tokenFor(streamId: string, expiresIn: string): Promise<string> {
  return new SignJWT({ sub: streamId })
    .setProtectedHeader({ alg: 'HS256', kid: 'test' })
    .setExpirationTime(expiresIn)
    .sign(new TextEncoder().encode(SECRET));
}

describe.each<Runtime>(['node', 'deno', 'worker'])('the edge on %s', (runtime) => {
  let bench: EdgeBench;
  const media = (name: string): string => `/demo/${bench.fixture.epoch}/${RENDITION}/${name}`;

  beforeAll(async () => {
    bench = await startEdgeBench(runtime, {}, { HW_PLAYBACK_KEYS: `test=${SECRET}` });
  });
  afterAll(async () => bench.stop());

  it('serves playlists, media, picture and status with their types and cache times', async () => {
    for (const [path, type, cacheControl] of [
      ['/demo/live.m3u8', 'application/vnd.apple.mpegurl', 'public, max-age=1, stale-while-revalidate=2'],
      [PLAYLIST, 'application/vnd.apple.mpegurl', 'public, max-age=1'],
      [media('init.mp4'), 'video/mp4', 'public, max-age=1209600, immutable'],
      [media('101.m4s'), 'video/mp4', 'public, max-age=1209600, immutable'],
      [media('101.3.m4s'), 'video/mp4', 'public, max-age=1209600, immutable'],
      ['/demo/poster.jpg', 'image/jpeg', 'public, max-age=5'],
      ['/demo/status.json', 'application/json; charset=utf-8', 'public, max-age=1'],
    ] as const) {
      const response = await bench.get(path);
      expect([path, response.status, response.headers.get('content-type')]).toEqual([path, 200, type]);
      expect(response.headers.get('cache-control')).toBe(cacheControl);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.get('age')).toMatch(/^\d+$/);
      expect([...response.headers.keys()].filter((name) => name.startsWith('x-headwater'))).toEqual([]);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
  });

  it('answers HEAD, ranges and conditions', async () => {
    const head = await bench.get(media('101.m4s'), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '40000', '']);
    const part = await bench.get(media('101.m4s'), { headers: { range: 'bytes=9999-10000' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 9999-10000/40000']);
    expect([...new Uint8Array(await part.arrayBuffer())]).toEqual([1, 2]);
    const beyond = await bench.get(media('101.m4s'), { headers: { range: 'bytes=40000-' } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */40000']);
    await beyond.arrayBuffer();
    const etag = head.headers.get('etag') ?? '';
    const same = await bench.get(media('101.m4s'), { headers: { 'if-none-match': etag } });
    expect([same.status, await same.text()]).toEqual([304, '']);
  });

  it('compresses playlists for those who take it', async () => {
    const plain = await bench.get(PLAYLIST, { headers: { 'accept-encoding': 'identity' } });
    const packed = await bench.get(PLAYLIST, { headers: { 'accept-encoding': 'gzip' } });
    expect([plain.headers.get('content-encoding'), packed.headers.get('content-encoding')]).toEqual([null, 'gzip']);
    expect(packed.headers.get('vary')).toContain('Accept-Encoding');
    expect(await packed.text()).toBe(await plain.text());
  });

  it('answers what is wrong with a problem', async () => {
    for (const [path, status, method] of [
      ['/nobody/live.m3u8', 404, 'GET'],
      ['/demo/999p/index.m3u8', 404, 'GET'],
      [media('999.m4s'), 404, 'GET'],
      ['/demo/1/720p/101.m4s', 404, 'GET'],
      ['/nonsense', 404, 'GET'],
      [`${PLAYLIST}?_HLS_msn=x`, 400, 'GET'],
      [`${PLAYLIST}?_HLS_msn=5000`, 400, 'GET'],
      [PLAYLIST, 405, 'DELETE'],
    ] as const) {
      const response = await bench.get(path, { method });
      expect([path, response.status, response.headers.get('content-type')]).toEqual([
        path,
        status,
        'application/problem+json',
      ]);
      expect(response.headers.get('cache-control')).toBe(status === 404 ? 'public, max-age=1' : 'no-store');
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      await response.arrayBuffer();
    }
    const preflight = await bench.get(PLAYLIST, { method: 'OPTIONS' });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      expect.stringContaining('Range'),
    ]);
  });

  it('serves the pages and their files', async () => {
    const home = await bench.get('/');
    expect([home.status, home.headers.get('location')]).toEqual([302, '/watch']);
    const page = await (await bench.get('/watch/demo')).text();
    const files = [...page.matchAll(/(?:src|href)="(\/watch\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      const response = await bench.get(file);
      expect([file, response.status]).toEqual([file, 200]);
      await response.arrayBuffer();
    }
  });

  it('holds a blocking reload and an announced part until they are there', async () => {
    const { msn, parts } = bench.fixture.position;
    const waiting = Promise.all([
      bench.get(`${PLAYLIST}?_HLS_msn=${msn}&_HLS_part=${parts}`),
      bench.get(media(`${msn}.${parts}.m4s`)),
    ]);
    await eventually('both wait', 20_000, () => bench.fixture.waiting === 2);
    bench.fixture.advance();
    const [playlist, part] = await waiting;
    expect([playlist.status, playlist.headers.get('cache-control')]).toEqual([200, 'public, max-age=12']);
    expect(await playlist.text()).toContain(`${msn}.${parts}.m4s`);
    expect((await part.arrayBuffer()).byteLength).toBe(10_000);
  });

  it('carries on while the registry is down, follows a failover, and never goes back', async () => {
    bench.resolver.mode = 'down';
    const { asked } = bench.resolver;
    await eventually('the registry is missed', 20_000, async () => {
      expect((await bench.get(PLAYLIST)).status).toBe(200);
      return bench.resolver.asked > asked + 1;
    });
    bench.resolver.mode = 'up';
    const successor = await startSuccessor(bench);
    const moved = recordOf(successor.fixture, successor.origin.url);
    bench.resolver.records.set('demo', {
      ...moved,
      previous: [{ epoch: bench.fixture.epoch, address: { private: bench.origin.url } }],
    });
    await eventually('the new epoch is seen', 20_000, async () =>
      (await (await bench.get(PLAYLIST)).text()).includes(`/${successor.fixture.epoch}/`),
    );
    expect((await bench.get(media('102.m4s'))).status).toBe(200);
    bench.resolver.records.set('demo', recordOf(bench.fixture, bench.origin.url));
    const before = bench.resolver.asked;
    await eventually('the older record is read', 20_000, async () => {
      expect(await (await bench.get(PLAYLIST)).text()).toContain(`/${successor.fixture.epoch}/`);
      return bench.resolver.asked > before + 1;
    });

    await successor.origin.server.close(0);
    const dead = await bench.get(`/demo/${successor.fixture.epoch}/${RENDITION}/init.mp4`);
    expect([dead.status, dead.headers.get('cache-control')]).toEqual([503, 'no-store']);
    for (let count = 0; count < 5; count += 1) {
      const playlist = await bench.get(PLAYLIST);
      expect(playlist.status).toBe(200);
      expect(await playlist.text()).not.toContain('ENDLIST');
    }
    bench.resolver.records.set('demo', { ...moved, state: 'ended' });
    await eventually('the session is closed', 20_000, async () =>
      (await (await bench.get(PLAYLIST)).text()).includes('#EXT-X-ENDLIST'),
    );
  });

  it('does not follow an address outside of what is allowed', async () => {
    const stranger = recordOf(bench.fixture, 'http://192.0.2.7:8000');
    bench.resolver.records.set('stranger', { ...stranger, streamId: 'stranger' as typeof stranger.streamId });
    expect((await bench.get('/stranger/poster.jpg')).status).toBe(503);
  });

  it('shows a signed stream to those with a token for it, and nothing of it to others', async () => {
    const closed = new LiveFixture({ streamId: 'closed' });
    bench.origin.streams.set('closed', closed);
    bench.resolver.records.set('closed', { ...recordOf(closed, bench.origin.url), playback: 'signed' });
    const path = `/closed/${RENDITION}/index.m3u8`;
    for (const [token, status] of [
      [undefined, 401],
      [await tokenFor('demo', '1m'), 403],
      [await tokenFor('closed', '-1m'), 403],
      [await tokenFor('closed', '1m'), 200],
    ] as const) {
      const byQuery = await bench.get(token === undefined ? path : `${path}?token=${token}`);
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const byHeader = await bench.get(path, { headers });
      expect([byQuery.status, byHeader.status]).toEqual([status, status]);
      expect((await byQuery.text()).includes('{$token}')).toBe(status === 200);
      expect(byHeader.headers.get('cache-control')).toMatch(status === 200 ? /^private,/ : /^no-store$/);
      await byHeader.arrayBuffer();
    }
    expect(closed.calls.filter((call) => call.startsWith('playlist'))).toHaveLength(1);
  });

  it('ends on SIGTERM', async () => {
    expect(await bench.stop()).toBe(0);
  });
});
