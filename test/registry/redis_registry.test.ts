/** The registry on Redis servers of our own (alone, with TLS, as a cluster of two) against the contract and the model. */
import { webcrypto } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import { createRedisAccess } from '../../functions/registry/redis_access.ts';
import { createRedisRegistry } from '../../functions/registry/redis_registry.ts';
import type { RedisRegistryOptions } from '../../functions/registry/redis_registry.ts';
import { startRedis } from './redis_server.ts';
import type { RedisServer } from './redis_server.ts';
import { registryContract } from './registry_contract.ts';
import { registryModel } from './registry_model.ts';
import type { MakeRegistry, RegistryUnderTest } from './registry_under_test.ts';

/** Takes `ARGV[1]` ms off the life of every key, and so deletes what would have expired. */
const AGE = `
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left < 0 then return redis.error_reply(key .. ' does not expire') end
  if left > tonumber(ARGV[1]) then redis.call('PEXPIRE', key, left - ARGV[1]) else redis.call('DEL', key) end
end
return 'ok'`;

const random = (length: number) => webcrypto.getRandomValues(new Uint8Array(length));

async function onRedis(server: RedisServer, options: Partial<RedisRegistryOptions> = {}): Promise<RegistryUnderTest> {
  let offsetMs = 0;
  const empty = async () => {
    await Promise.all(server.nodes.map((node) => node.flushall()));
  };
  await empty();
  const redis = createRedisAccess({ url: server.url, ...(server.ca !== undefined && { tls: { ca: server.ca } }) });
  return {
    registry: createRedisRegistry({ redis, random, clockOffsetMs: () => offsetMs, ...options }),
    nowMs: async () => {
      const [seconds = 0, micros = 0] = (await server.nodes[0]?.time()) ?? [];
      return seconds * 1000 + micros / 1000 + offsetMs;
    },
    advance: async (ms) => {
      offsetMs += ms;
      await Promise.all(server.nodes.map((node) => node.eval(AGE, 0, ms)));
    },
    empty,
    close: () => {
      redis.close();
      return Promise.resolve();
    },
  };
}

/** Keys live this long, and time goes by this much faster than it does: what expires here really expires. */
const SHORT_LIVES = {
  grantKeptMs: 600,
  endedKeptMs: 1_000,
  silentKeptMs: 1_200,
  floorKeptMs: 2_000,
  eventsKeptMs: 2_000,
};
const HASTE = 400;

async function onHastyRedis(server: RedisServer): Promise<RegistryUnderTest> {
  let offsetMs = 0;
  const made = await onRedis(server, { keyLives: SHORT_LIVES, clockOffsetMs: () => offsetMs });
  return {
    ...made,
    advance: async (ms) => {
      const startedAt = performance.now();
      await setTimeout(ms / HASTE);
      offsetMs += Math.max(0, Math.round(ms - (performance.now() - startedAt)));
    },
    forgetsAfterMs: (SHORT_LIVES.endedKeptMs * HASTE) / 2,
  };
}

/** All histories take more than a minute: `script/test --full`. */
const RUNS = isFull ? { alone: 1_000, cluster: 50 } : { alone: 250, cluster: 15 };

for (const kind of ['alone', 'tls', 'cluster'] as const) {
  describe(`Redis ${kind}`, () => {
    let server: RedisServer;
    const make: MakeRegistry = () => onRedis(server);
    beforeAll(async () => {
      server = await startRedis(kind);
    });
    afterAll(async () => {
      await server.stop();
    });
    registryContract(`on Redis ${kind}`, make);
    if (kind === 'alone') {
      registryModel('on Redis alone, whose keys expire', () => onHastyRedis(server), {
        runs: isFull ? 10 : 2,
        steps: 20,
        silenceMs: 900_000,
      });
    }
    if (kind !== 'tls') registryModel(`on Redis ${kind}`, make, { runs: RUNS[kind] });
  });
}
