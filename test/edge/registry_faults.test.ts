/**
 * What viewers see when the registry in Redis or a media server fails: FAULTS rows 32, 33, 35 to 37, on the runtimes
 * that hold a connection to Redis, with a real Redis.
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { parseStreamId } from '../../contracts/ids.ts';
import type { StreamRecord } from '../../contracts/registry.ts';
import { streamRecordKey } from '../../contracts/registry_key.ts';
import { reportFault, seconds } from '../faults/fault_report.ts';
import { startRedis } from '../registry/redis_server.ts';
import type { RedisServer } from '../registry/redis_server.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startDelayingProxy } from './delaying_proxy.ts';
import type { DelayingProxy } from './delaying_proxy.ts';
import { startEdgeBench } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import type { Runtime } from './edge_process.ts';
import { startFaultyOrigin } from './faulty_origin.ts';
import type { FaultyOrigin } from './faulty_origin.ts';
import { LiveFixture, RENDITION, recordOf } from './live_fixture.ts';

const PLAYLIST = `/demo/${RENDITION}/index.m3u8`;

async function write(redis: RedisServer, streamId: string, record: StreamRecord | string): Promise<void> {
  const key = streamRecordKey(parseStreamId(streamId));
  const text = typeof record === 'string' ? record : JSON.stringify({ ...record, streamId });
  for (const node of redis.nodes) {
    // On a cluster only one of the two holds the slot.
    const failure = await node.set(key, text, 'EX', 600).then(
      () => undefined,
      (error: Error) => error,
    );
    if (failure === undefined) return;
    if (!failure.message.startsWith('MOVED')) throw failure;
  }
}

/** Asks for the playlist again and again while `work` runs. @returns ms of each, and every status that was not 200 */
async function watchDuring(
  bench: EdgeBench,
  work: Promise<unknown>,
): Promise<{ readonly times: number[]; readonly bad: number[] }> {
  const times: number[] = [];
  const bad: number[] = [];
  const over = new AbortController();
  const viewers = Array.from({ length: 10 }, async () => {
    while (!over.signal.aborted) {
      const startMs = performance.now();
      const reply = await bench.get(PLAYLIST);
      await reply.arrayBuffer();
      times.push(performance.now() - startMs);
      if (reply.status !== 200) bad.push(reply.status);
      await sleep(40);
    }
  });
  await work.finally(() => over.abort());
  await Promise.all(viewers);
  return { times: times.toSorted((a, b) => a - b), bad };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

describe.each<Runtime>(['node', 'deno'])('the edge on %s with Redis', (runtime) => {
  let redis: RedisServer;
  let proxy: DelayingProxy;
  let origin: FaultyOrigin;
  let bench: EdgeBench;
  const addressed = (url: string): StreamRecord => ({ ...recordOf(bench.fixture, url) });
  /** The playlist, from the first request on that the edge brings to the origin. */
  const askedAnew = async () => {
    const before = origin.requests;
    return eventually('the origin is asked', 20_000, async () => {
      const startMs = performance.now();
      const reply = await bench.get(PLAYLIST);
      const text = await reply.text();
      return origin.requests > before && { status: reply.status, text, tookMs: performance.now() - startMs };
    });
  };

  beforeAll(async () => {
    redis = await startRedis('alone');
    proxy = await startDelayingProxy(Number(new URL(redis.url).port));
    bench = await startEdgeBench(runtime, {}, { REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    origin = await startFaultyOrigin(bench.origin.url);
    await write(redis, 'demo', addressed(origin.url));
  });
  afterAll(async () => {
    await bench.stop();
    await origin.close();
    await proxy.close();
    await redis.stop();
  });

  // A minute of each: on Deno with script/test --full.
  beforeEach((context) => {
    if (runtime === 'deno') needsFull(context);
  });

  it('finds streams there, and nowhere else', async () => {
    expect((await bench.get(PLAYLIST)).status).toBe(200);
    expect((await bench.get('/nobody/live.m3u8')).status).toBe(404);
    await write(redis, 'broken', '{"v":1,"streamId":"broken"}');
    expect((await bench.get('/broken/live.m3u8')).status).toBe(503);
    expect(bench.resolver.asked).toBe(0);
  });

  it('serves from what is known while Redis is slow by 2 s, and waits for what is not (row 33)', async () => {
    proxy.delayMs = 2000;
    await write(redis, 'late', addressed(bench.origin.url));
    bench.origin.streams.set('late', new LiveFixture({ streamId: 'late' }));
    const { times, bad } = await watchDuring(
      bench,
      sleep(5000).then(async () => expect((await bench.get('/late/live.m3u8')).status).toBe(200)),
    );
    proxy.delayMs = 0;
    expect(bad).toEqual([]);
    expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
  });

  it('serves without errors while Redis is down, and sees a new owner once it is back (row 32)', async () => {
    const { port } = new URL(redis.url);
    await redis.stop();
    const { times, bad } = await watchDuring(bench, sleep(4000));
    expect(bad).toEqual([]);
    expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
    redis = await startRedis('alone', Number(port));
    const next = new LiveFixture({ epoch: bench.fixture.epoch + 1, firstMsn: bench.fixture.position.msn + 3 });
    bench.origin.streams.set('demo', next);
    await write(redis, 'demo', recordOf(next, origin.url));
    await eventually('the new epoch is seen', 20_000, async () =>
      (await (await bench.get(PLAYLIST)).text()).includes(`/${next.epoch}/`),
    );
  });

  it('keeps the last playlist while the origin fails or is silent, and caches no error (row 37)', async () => {
    const { epoch } = bench.origin.streams.get('demo') ?? bench.fixture;
    const media = `/demo/${epoch}/${RENDITION}/init.mp4`;
    origin.mode = 'error';
    const playlist = await askedAnew();
    expect(playlist.status).toBe(200);
    expect(playlist.text).not.toContain('ENDLIST');
    const refused = await bench.get(media);
    expect([refused.status, refused.headers.get('cache-control')]).toEqual([503, 'no-store']);
    origin.mode = 'silent';
    const { status, tookMs } = await askedAnew();
    expect(status).toBe(200);
    expect(tookMs).toBeLessThan(6000);
    origin.mode = 'pass';
    await eventually('media is there again', 20_000, async () => (await bench.get(media)).status === 200);
    await reportFault({ row: '37', measured: `playlist after ${seconds(tookMs)}, errors no-store` });
  });

  it('keeps the last playlist while Redis points at a dead server, and heals (row 35)', async () => {
    const { epoch } = bench.origin.streams.get('demo') ?? bench.fixture;
    const moved: StreamRecord = { ...addressed(origin.url), epoch };
    await write(redis, 'demo', { ...moved, address: { private: 'http://127.0.0.1:1' } });
    const { msn } = (bench.origin.streams.get('demo') ?? bench.fixture).position;
    // What there is none of tells the two servers apart, and nothing is kept of it for long.
    const nothing = `/demo/${epoch}/${RENDITION}/1.m4s`;
    await eventually('the record is read anew', 20_000, async () => (await bench.get(nothing)).status === 503);
    expect((await bench.get(PLAYLIST)).status).toBe(200);
    const segment = await bench.get(`/demo/${epoch}/${RENDITION}/${msn - 1}.m4s`);
    expect([segment.status, segment.headers.get('cache-control')]).toEqual([503, 'no-store']);
    await write(redis, 'demo', moved);
    const startMs = performance.now();
    await eventually(
      'it has healed',
      20_000,
      async () => (await bench.get(`/demo/${epoch}/${RENDITION}/${msn - 1}.m4s`)).status === 200,
    );
    expect(performance.now() - startMs).toBeLessThan(10_000);
  });

  it('sends nothing to an address that is not allowed (row 36)', async () => {
    let connections = 0;
    const stranger = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => {
      stranger.listen(0, '127.0.0.2', () => resolve());
    });
    const { port } = stranger.address() as AddressInfo;
    const guarded = await startEdgeBench(
      runtime,
      {},
      { REDIS_URL: redis.url, HW_UPSTREAM_ALLOW: '127.0.0.1,10.0.0.0/8' },
    );
    try {
      const urls = [`http://127.0.0.2:${port}`, `http://user@127.0.0.1:${port}`, `http://localhost:${port}`];
      for (const [index, url] of urls.entries()) {
        await write(redis, `stranger-${index}`, addressed(url));
        for (const path of ['live.m3u8', 'poster.jpg', `${bench.fixture.epoch}/${RENDITION}/101.m4s`]) {
          expect([path, (await guarded.get(`/stranger-${index}/${path}`)).status]).toEqual([path, 503]);
        }
      }
      expect(connections).toBe(0);
    } finally {
      await guarded.stop();
      stranger.close();
    }
  });
});

describe.each<Runtime>(['node', 'deno'])('the edge on %s with a cluster of Redis', (runtime) => {
  it('finds streams on each of its nodes', async () => {
    const redis = await startRedis('cluster');
    const bench = await startEdgeBench(runtime, {}, { REDIS_URL: redis.url });
    try {
      for (const streamId of ['demo', 'a', 'b', 'c', 'd']) {
        bench.origin.streams.set(streamId, new LiveFixture({ streamId }));
        await write(redis, streamId, recordOf(bench.fixture, bench.origin.url));
        expect([streamId, (await bench.get(`/${streamId}/live.m3u8`)).status]).toEqual([streamId, 200]);
      }
      expect(bench.resolver.asked).toBe(0);
    } finally {
      await bench.stop();
      await redis.stop();
    }
  });
});
