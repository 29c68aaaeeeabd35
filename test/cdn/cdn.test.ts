/**
 * The edge behind nginx and behind Varnish, as docs/cdn.md sets them up: many viewers cost the edge one request for each
 * object, nothing stalls, and a signed stream stays shut to those without a token for it.
 */
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needsFull, isFull } from '../layers/needs_full.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startEdgeBench } from '../edge/edge_bench.ts';
import type { EdgeBench } from '../edge/edge_bench.ts';
import { RENDITION, recordOf } from '../edge/live_fixture.ts';
import { startCache } from './cache_process.ts';
import type { CacheProcess, CacheProgram } from './cache_process.ts';
import { percentile, watch } from './low_latency_viewers.ts';

const PART_BYTES = 25_000;
const SECRET = 'a-playback-secret-of-the-cache-tests';
/** PART-HOLD-BACK of the fixture: a part that comes later than that stops the picture. */
const STALL_MS = 1500;

async function tokenFor(streamId: string, viewer: string): Promise<string> {
  return new SignJWT({ sub: streamId, jti: viewer })
    .setProtectedHeader({ alg: 'HS256', kid: 'test' })
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(SECRET));
}

describe.each<CacheProgram>(['nginx', 'varnish'])('behind %s', (program) => {
  let bench: EdgeBench;
  let cache: CacheProcess;
  const edgeRequests = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${bench.edge.metricsPort}/metrics`)).text();
    return Number(/^headwater_edge_requests_total (\d+)$/m.exec(text)?.[1]);
  };
  const get = async (path: string, init?: RequestInit): Promise<Response> => fetch(`${cache.url}${path}`, init);
  const media = (name: string): string => `/demo/${bench.fixture.epoch}/${RENDITION}/${name}`;

  beforeEach((context) => {
    needsFull(context);
  });
  beforeAll(async () => {
    if (!isFull) return;
    bench = await startEdgeBench('node', { partBytes: PART_BYTES }, { HW_PLAYBACK_KEYS: `test=${SECRET}` });
    cache = await startCache(program, bench.edge.port);
  });
  afterAll(async () => {
    await cache?.stop();
    await bench?.stop();
  });
  afterEach(() => {
    if (bench !== undefined) bench.resolver.records.set('demo', recordOf(bench.fixture, bench.origin.url));
  });

  it('200 low-latency viewers cost at most one request for each object, and nothing stalls', async () => {
    const before = await edgeRequests();
    const watched = await watch(cache.port, bench.fixture, {
      viewers: 200,
      seconds: 10,
      partMs: 500,
      partBytes: PART_BYTES,
      queryOf: (viewer) => `CMCD=bl%3D1500%2Csid%3D%22viewer-${viewer}%22`,
    });
    const requests = (await edgeRequests()) - before;
    console.log(
      `${program}: ${requests} requests for ${watched.targets.size} objects; part after publishing: ` +
        `p50 ${percentile(watched.delaysMs, 0.5).toFixed(0)} ms, p95 ${percentile(watched.delaysMs, 0.95).toFixed(0)} ms`,
    );
    expect(watched.errors).toEqual([]);
    expect(requests).toBeLessThanOrEqual(watched.targets.size);
    expect(watched.delaysMs.length).toBeGreaterThan(200 * 15);
    expect(watched.delaysMs.at(-1)).toBeLessThan(STALL_MS);
  });

  it('passes on what the edge says, and keeps no error', async () => {
    expect((await get('/demo/live.m3u8')).headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
    expect((await get('/nobody/live.m3u8')).status).toBe(404);
    expect((await get(`/demo/${RENDITION}/index.m3u8?_HLS_msn=x`)).status).toBe(400);
    const whole = media(`${bench.fixture.position.msn - 1}.m4s`);
    const range = await get(whole, { headers: { range: 'bytes=10-19' } });
    expect([range.status, (await range.arrayBuffer()).byteLength]).toEqual([206, 10]);
    const head = await get(whole, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(4 * PART_BYTES));
    const packed = await get(`/demo/${RENDITION}/index.m3u8`, { headers: { 'accept-encoding': 'gzip' } });
    expect([packed.headers.get('content-encoding'), await packed.text()]).toEqual([
      'gzip',
      expect.stringContaining('#EXTM3U'),
    ]);
    const preflight = await get(whole, { method: 'OPTIONS' });
    expect(preflight.headers.get('access-control-allow-headers')).toContain('CMCD-Session');
    expect((await get('/watch/demo')).status).toBe(200);

    bench.resolver.records.set('demo', { ...recordOf(bench.fixture, 'http://127.0.0.1:1') });
    // What there is none of tells the two servers apart, and nothing is kept of it for long.
    await eventually('its server is away', 20_000, async () => (await get(media('1.m4s'))).status === 503);
    const { msn } = bench.fixture.position;
    expect((await get(media(`${msn - 3}.m4s`))).status).toBe(503);
    bench.resolver.records.set('demo', recordOf(bench.fixture, bench.origin.url));
    await eventually('its server is back', 20_000, async () => (await get(media('1.m4s'))).status === 404);
    expect((await get(media(`${msn - 3}.m4s`))).status).toBe(200);
  });

  it('viewers with tokens of their own share one copy of a signed stream; others get nothing of it', async () => {
    bench.resolver.records.set('demo', { ...recordOf(bench.fixture, bench.origin.url), playback: 'signed' });
    await eventually('the edge knows', 20_000, async () => (await bench.get(media('2.m4s'))).status === 401);
    // For so long the cache may go by what it was told before: CACHE_POLICY['access-public'].
    await new Promise((resolve) => {
      setTimeout(resolve, 1100);
    });
    const [one, other, foreign] = await Promise.all([
      tokenFor('demo', 'one'),
      tokenFor('demo', 'other'),
      tokenFor('elsewhere', 'one'),
    ]);
    const segment = media(`${bench.fixture.position.msn - 2}.m4s`);
    const before = await edgeRequests();
    for (const token of [one, other]) {
      const reply = await get(`${segment}?token=${token}`);
      expect([reply.status, (await reply.arrayBuffer()).byteLength]).toEqual([200, 4 * PART_BYTES]);
    }
    expect((await edgeRequests()) - before).toBe(1);
    const playlist = await (await get(`/demo/${RENDITION}/index.m3u8?token=${one}`)).text();
    expect(playlist).toContain('#EXT-X-DEFINE:QUERYPARAM="token"');
    expect(playlist).not.toContain(one);

    for (const [path, status] of [
      [segment, 401],
      [`${segment}?token=`, 403],
      [`${segment}?token=${foreign}`, 403],
      [`${segment}?token=${one.slice(0, -4)}AAAA`, 403],
      [`${segment}?x=${one}`, 401],
      [`/demo/${RENDITION}/index.m3u8`, 401],
    ] as const) {
      const reply = await get(path);
      expect([path.slice(0, 60), reply.status, reply.headers.get('cache-control')]).toEqual([
        path.slice(0, 60),
        status,
        'no-store',
      ]);
      expect(reply.headers.get('access-control-allow-origin')).toBe('*');
      expect(await reply.text()).not.toContain('EXTM3U');
    }
    const bearer = await get(segment, { headers: { authorization: `Bearer ${other}` } });
    expect([bearer.status, bearer.headers.get('cache-control')?.startsWith('private')]).toEqual([200, true]);
    const spoofed = await get(segment, {
      headers: { 'x-headwater-token': one, 'x-headwater-url': segment, 'x-headwater-scope': 'x' },
    });
    expect(spoofed.status).toBe(401);
  });

  it('50 viewers of a signed stream, each with a token, cost what one costs', async () => {
    bench.resolver.records.set('demo', { ...recordOf(bench.fixture, bench.origin.url), playback: 'signed' });
    const tokens = await Promise.all(Array.from({ length: 50 }, async (_, viewer) => tokenFor('demo', `v${viewer}`)));
    const before = await edgeRequests();
    const watched = await watch(cache.port, bench.fixture, {
      viewers: 50,
      seconds: 5,
      partMs: 500,
      partBytes: PART_BYTES,
      queryOf: (viewer) => `token=${tokens[viewer]}`,
    });
    expect(watched.errors).toEqual([]);
    expect((await edgeRequests()) - before).toBeLessThanOrEqual(watched.targets.size);
    expect(watched.delaysMs.at(-1)).toBeLessThan(STALL_MS);
  });
});
