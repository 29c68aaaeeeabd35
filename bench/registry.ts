/**
 * Benchmark: the registry on a Redis of its own (claim, heartbeat of 50 streams, resolve), empty and with 100,000 streams
 * of 2,000 servers, and what authorizePublish adds to the webhook's own time through the local Invoke endpoint.
 */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { StreamId } from '../contracts/ids.ts';
import { createRedisAccess } from '../functions/registry/redis_access.ts';
import { createRedisRegistry } from '../functions/registry/redis_registry.ts';
import { startFunctions } from '../local/functions.ts';
import { claimBy, heartbeatOf, reportOf } from '../test/registry/registry_calls.ts';
import { startRedis } from '../test/registry/redis_server.ts';
import { systemClock } from '../transcoder/clock.ts';
import { createLambdaControl } from '../transcoder/lambda_control.ts';

const SERVERS = 2_000;
const STREAMS_EACH = 50;

/** Runs `call` `count` times, `width` at once. Durations in ms, ascending, and calls per second. */
async function measure(count: number, width: number, call: (index: number) => Promise<unknown>) {
  const durations: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) {
        const index = next;
        next += 1;
        const from = performance.now();
        await call(index);
        durations.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  durations.sort((a, b) => a - b);
  return { durations, perSecond: count / seconds };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function show(name: string, { durations, perSecond }: Awaited<ReturnType<typeof measure>>): void {
  const figures = [0.5, 0.95, 0.99].map((share) => quantile(durations, share).toFixed(2)).join(' / ');
  console.log(`${name.padEnd(52)} ${perSecond.toFixed(0).padStart(7)} per s, p50 / p95 / p99 ${figures} ms`);
}

async function benchRegistry(): Promise<void> {
  const server = await startRedis('alone');
  let offsetMs = 0;
  const redis = createRedisAccess({ url: server.url });
  const registry = createRedisRegistry({
    redis,
    random: (length) => randomBytes(length),
    clockOffsetMs: () => offsetMs,
  });
  try {
    await registry.heartbeat(heartbeatOf('first', []));
    offsetMs = 6_000;
    const claim = async (serverId: string, streamId: StreamId) => {
      const grant = await registry.claim(claimBy(serverId, { streamId }));
      if (grant.outcome !== 'granted') throw new Error(`wanted a grant, got ${grant.outcome}`);
      return reportOf(grant, { streamId });
    };
    const own = await Promise.all(Array.from({ length: 50 }, (_, index) => claim('own', `own${index}` as StreamId)));
    const beat = () => registry.heartbeat(heartbeatOf('own', own));
    const resolve = (index: number) => registry.resolve(`own${index % 50}` as StreamId);
    await measure(2_000, 8, resolve);

    show('claim', await measure(5_000, 8, (index) => claim('bench', `claim${index}` as StreamId)));
    show('heartbeat of 50 streams', await measure(500, 1, beat));
    const empty = await measure(20_000, 8, resolve);
    show('resolve, 5,050 streams known', empty);

    const [template] = own;
    if (template === undefined) throw new Error('no stream');
    const filled = await measure(SERVERS, 4, (index) =>
      registry.heartbeat(
        heartbeatOf(
          `server${index}`,
          Array.from({ length: STREAMS_EACH }, (_, stream) => ({
            ...template,
            streamId: `s${index}-${stream}` as StreamId,
          })),
        ),
      ),
    );
    show('heartbeat of 50 streams, filling up to 100,000', filled);
    const full = await measure(20_000, 8, resolve);
    show('resolve, 100,000 streams, 2,000 servers', full);
    show('heartbeat of 50 streams, full', await measure(500, 1, beat));
    const ratio = quantile(full.durations, 0.99) / quantile(empty.durations, 0.99);
    console.log(`resolve p99, full / empty: ${ratio.toFixed(2)}`);
  } finally {
    redis.close();
    await server.stop();
  }
}

async function benchAuthorize(): Promise<void> {
  const webhook = http.createServer((request, response) => {
    request.resume().once('end', () => response.end('{"streamId":"show"}'));
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`;
  const functions = await startFunctions(
    { HW_FUNCTIONS_PORT: '0', HW_AUTH_WEBHOOK_URL: url, HW_WEBHOOK_ALLOW_PRIVATE: '1' },
    () => undefined,
  );
  const client = new LambdaClient({
    region: 'local',
    endpoint: `http://127.0.0.1:${functions.port}`,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    maxAttempts: 1,
  });
  try {
    const control = createLambdaControl({ prefix: 'headwater-', clock: systemClock, random: Math.random, client });
    const request = { streamKey: 'key', app: 'stream', query: {}, clientAddress: '192.0.2.1', transcoderId: 'bench' };
    const authorize = () => control.authorizePublish(request);
    const direct = () => fetch(url, { method: 'POST', body: JSON.stringify(request) }).then((reply) => reply.text());
    await measure(100, 1, authorize);
    const alone = await measure(500, 1, direct);
    const through = await measure(500, 1, authorize);
    show('the webhook alone', alone);
    show('authorizePublish with that webhook', through);
    const added = quantile(through.durations, 0.95) - quantile(alone.durations, 0.95);
    console.log(`authorizePublish adds, p95: ${added.toFixed(2)} ms`);
  } finally {
    client.destroy();
    await functions.close();
    webhook.closeAllConnections();
    webhook.close();
  }
}

await benchRegistry();
await benchAuthorize();
