/** How the registry behaves when Redis is away, is slow, or has forgotten the scripts, and what a heartbeat costs. */
import { webcrypto } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RedisUrlError } from '../../contracts/redis_url.ts';
import { clusterSlot, tagInSlot } from '../../functions/registry/cluster_slot.ts';
import { createRedisAccess } from '../../functions/registry/redis_access.ts';
import type { RedisAccess } from '../../functions/registry/redis_access.ts';
import { createRedisRegistry } from '../../functions/registry/redis_registry.ts';
import { claimBy, heartbeatOf, reportOf, SHAPE, SHOW } from './registry_calls.ts';
import { startRedis } from './redis_server.ts';
import type { RedisServer } from './redis_server.ts';
import type { StreamId } from '../../contracts/ids.ts';

const random = (length: number) => webcrypto.getRandomValues(new Uint8Array(length));

let server: RedisServer;
let opened: RedisAccess[] = [];
let offsetMs = 0;

function registryAt(url: string, commandTimeoutMs = 2_000) {
  const redis = createRedisAccess({ url, commandTimeoutMs });
  opened.push(redis);
  return createRedisRegistry({ redis, random, clockOffsetMs: () => offsetMs });
}

describe('a Redis alone', () => {
  beforeEach(async () => {
    offsetMs = 0;
    server = await startRedis('alone');
  });
  afterEach(async () => {
    for (const redis of opened.splice(0)) redis.close();
    await server.stop();
  });

  test('may forget the scripts', async () => {
    const registry = registryAt(server.url);
    await registry.heartbeat(heartbeatOf('a', []));
    await server.nodes[0]?.script('FLUSH');
    offsetMs = 6_000;
    expect(await registry.claim(claimBy('a'))).toMatchObject({ outcome: 'granted' });
    await server.nodes[0]?.script('FLUSH');
    expect(await registry.heartbeat(heartbeatOf('a', []))).toMatchObject({ lost: [] });
  });

  test('that is slow: calls fail in time, and work again afterwards', async () => {
    const registry = registryAt(server.url, 100);
    await registry.resolve(SHOW);
    await server.nodes[0]?.client('PAUSE', 400);
    await expect(registry.resolve(SHOW)).rejects.toThrow(/timed out/);
    await expect(registry.claim(claimBy('a'))).rejects.toThrow(/timed out/);
    await server.nodes[0]?.ping();
    expect(await vi.waitFor(() => registry.resolve(SHOW), 10_000)).toBeUndefined();
  });

  test('that ends and comes back empty: calls fail, then claims wait for heartbeats', async () => {
    const registry = registryAt(server.url, 200);
    await registry.resolve(SHOW);
    const { port } = new URL(server.url);
    await server.stop();
    await expect(registry.resolve(SHOW)).rejects.toThrow(Error);
    server = await startRedis('alone', Number(port));
    const reply = await vi.waitFor(() => registry.claim(claimBy('a')), 10_000);
    expect(reply).toMatchObject({ outcome: 'wait' });
  });

  test('every key expires', async () => {
    const registry = registryAt(server.url);
    await registry.heartbeat(heartbeatOf('a', []));
    offsetMs = 6_000;
    const grant = await registry.claim(claimBy('a'));
    if (grant.outcome !== 'granted') throw new Error('wanted a grant');
    await registry.heartbeat(heartbeatOf('a', [reportOf(grant, { shape: SHAPE })]));
    const { epoch, sessionId } = grant;
    const note = { id: 'evt_health00000001', streamId: SHOW, sessionId, epoch, data: {} };
    await registry.notify({ ...note, type: 'encoder.restarted' });
    await registry.drain('a', true);
    const keys = (await server.nodes[0]?.keys('*')) ?? [];
    expect(keys.toSorted()).toEqual([
      'hw:boot',
      'hw:{fleet}:draining',
      'hw:{fleet}:heard',
      'hw:{fleet}:load',
      'hw:{fleet}:outboxes',
      'hw:{fleet}:servers',
      'hw:{fleet}:streams',
      expect.stringMatching(/^hw:\{show\}:claim:/),
      'hw:{show}:health',
      'hw:{show}:health-ids',
      'hw:{show}:outbox',
      'hw:{show}:record',
      'hw:{show}:sessions',
      'hw:{show}:stream',
      'hw:{show}:told',
    ]);
    for (const key of keys) expect(await server.nodes[0]?.pttl(key)).toBeGreaterThan(0);
  });
});

test('a Redis that is not there: every call rejects in time', async () => {
  const registry = registryAt('redis://127.0.0.1:1', 200);
  await expect(registry.resolve(SHOW)).rejects.toThrow(Error);
  await expect(registry.heartbeat(heartbeatOf('a', []))).rejects.toThrow(Error);
  for (const redis of opened.splice(0)) redis.close();
});

/** Passes bytes on, and counts how often the client sends after an answer: round trips. */
async function countingProxy(
  port: number,
): Promise<{ readonly port: number; trips: number; readonly stop: () => void }> {
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let answered = true;
    sockets.add(client).add(upstream);
    client.on('data', (chunk) => {
      if (answered) state.trips += 1;
      answered = false;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      answered = true;
      client.write(chunk);
    });
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const state = {
    port: (proxy.address() as AddressInfo).port,
    trips: 0,
    stop: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return state;
}

test('a heartbeat of fifty streams is one round trip', async () => {
  offsetMs = 0;
  const redis = await startRedis('alone');
  const proxy = await countingProxy(Number(new URL(redis.url).port));
  try {
    const registry = registryAt(`redis://127.0.0.1:${proxy.port}`);
    await registry.heartbeat(heartbeatOf('a', []));
    offsetMs = 6_000;
    const reports = [];
    for (let index = 0; index < 50; index += 1) {
      const streamId = `s${index}` as StreamId;
      const grant = await registry.claim(claimBy('a', { streamId }));
      if (grant.outcome !== 'granted') throw new Error('wanted a grant');
      reports.push(reportOf(grant, { streamId }));
    }
    await registry.heartbeat(heartbeatOf('a', reports));
    proxy.trips = 0;
    await registry.heartbeat(heartbeatOf('a', reports));
    expect(proxy.trips).toBe(1);
  } finally {
    for (const access of opened.splice(0)) access.close();
    proxy.stop();
    await redis.stop();
  }
});

test.each([
  '',
  'hunter2',
  'http://:hunter2@host',
  'redis://',
  'redis://:hunter2@host/name',
  'memcached://:hunter2@host:1',
])('the URL %j is refused without showing it', (url) => {
  let failure: unknown;
  try {
    createRedisAccess({ url });
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(RedisUrlError);
  expect(String(failure)).toMatch(/REDIS_URL: /);
  expect(String(failure)).not.toContain('hunter2');
});

test('slots are those of the cluster specification', () => {
  expect(clusterSlot('123456789')).toBe(0x31c3);
  expect(clusterSlot('foo{bar}baz')).toBe(clusterSlot('bar'));
  expect(clusterSlot('foo{}{bar}')).not.toBe(clusterSlot('bar'));
  expect(clusterSlot('{user1000}.following')).toBe(clusterSlot('{user1000}.followers'));
  for (const slot of [0, 1, 8_191, 8_192, 16_383]) expect(clusterSlot(`{${tagInSlot(slot)}}:hw:boot`)).toBe(slot);
});
