/**
 * The scripts of what the fleet shares: its servers, which of them take publishers, and by which streams a person, the
 * reaper and the pump find what they look for.
 */
import { CLOCK, luaMarker, redisScript } from './redis_script.ts';
import type { RedisScript } from './redis_script.ts';
import { LEFTOVER_MS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';

export interface FleetScripts {
  /**
   * KEYS: servers (hash), load (sorted set), heard (sorted set), streams by their last report (sorted set), draining
   * servers (hash). ARGV: clock offset, server id, seq, ingest or '', streams, most streams, `1` when it takes
   * publishers, then the ids of its streams. Returns whether it is to drain, then peers as a flat list: server id,
   * ingest, streams.
   */
  readonly hearServer: RedisScript;
  /** KEYS: servers, draining servers. ARGV: clock offset, server id, `1` to drain. Returns `done` or `unknown`. */
  readonly drain: RedisScript;
  /** KEYS: streams. ARGV: clock offset. Returns the ids of those that were reported within a lease. */
  readonly listStreams: RedisScript;
  /** KEYS: streams. ARGV: clock offset, how many. Returns the ids and times of those that were not, oldest first. */
  readonly silentStreams: RedisScript;
  /** KEYS: streams, or streams with events. ARGV: clock offset, stream id, the time that was read. */
  readonly forget: RedisScript;
  /** Says that a call for a stream is made. KEYS: streams with events, streams. ARGV: clock offset, stream id, `1` for a claim. */
  readonly note: RedisScript;
  /** KEYS: streams with events. ARGV: clock offset, how many. Returns the ids and times of those that were noted a while ago. */
  readonly leftovers: RedisScript;
  /** Marks a node as known to be in use. KEYS: marker. ARGV: clock offset. Returns ms until settled, and the marker. */
  readonly touchMarker: RedisScript;
}

/** Most peers that are named, and most candidates that are looked at for them. */
const MOST_PEERS = 8;
const MOST_CANDIDATES = 32;
/** A server that was silent for this long is forgotten, ms. */
const SERVER_KEPT_MS = 3_600_000;

const hearServerLua = (times: RegistryTimes): string => `
local id = ARGV[2]
local function read(server)
  local value = redis.call('HGET', KEYS[1], server)
  return value and cjson.decode(value)
end
local function forget(server)
  redis.call('HDEL', KEYS[1], server)
  redis.call('ZREM', KEYS[2], server)
  redis.call('ZREM', KEYS[3], server)
end
local known = read(id)
local overtaken = known and num(ARGV[3]) < num(known.seq) and now - num(known.heard) <= ${times.leaseMs}
if not overtaken then
  redis.call('HSET', KEYS[1], id, cjson.encode({ heard = text(now), seq = ARGV[3], ingest = ARGV[4], streams = ARGV[5] }))
  redis.call('ZADD', KEYS[3], text(now), id)
  if ARGV[7] == '1' and ARGV[4] ~= '' and num(ARGV[5]) < num(ARGV[6]) then
    redis.call('ZADD', KEYS[2], num(ARGV[5]) / num(ARGV[6]), id)
  else
    redis.call('ZREM', KEYS[2], id)
  end
  local reported = {}
  for i = 8, #ARGV do
    reported[#reported + 1] = text(now)
    reported[#reported + 1] = ARGV[i]
  end
  for first = 1, #reported, 1000 do
    redis.call('ZADD', KEYS[4], unpack(reported, first, math.min(first + 999, #reported)))
  end
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ${SERVER_KEPT_MS}) end
  redis.call('PEXPIRE', KEYS[4], ${times.floorKeptMs})
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', text(now - ${times.silentKeptMs}))
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ${SERVER_KEPT_MS}), 'LIMIT', 0, 16)) do
  forget(old)
end
local peers = { redis.call('HGET', KEYS[5], id) and '1' or '0' }
for _, peer in ipairs(redis.call('ZRANGE', KEYS[2], 0, ${MOST_CANDIDATES - 1})) do
  if #peers > ${3 * MOST_PEERS} then break end
  local about = peer ~= id and read(peer)
  if about and now - num(about.heard) <= ${times.leaseMs} then
    peers[#peers + 1] = peer
    peers[#peers + 1] = about.ingest
    peers[#peers + 1] = about.streams
  elseif peer ~= id then
    redis.call('ZREM', KEYS[2], peer)
  end
end
return peers
`;

const drainLua = (times: RegistryTimes): string => `
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 'unknown' end
if ARGV[3] == '1' then redis.call('HSET', KEYS[2], ARGV[2], '1') else redis.call('HDEL', KEYS[2], ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ${times.floorKeptMs})
return 'done'
`;

/** Noted before the call is made: what it leaves behind is found, wherever it was broken off. */
const noteLua = (times: RegistryTimes): string => `
redis.call('ZADD', KEYS[1], text(now), ARGV[2])
redis.call('PEXPIRE', KEYS[1], ${times.eventsKeptMs})
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - ${times.eventsKeptMs}))
if ARGV[3] == '1' then
  redis.call('ZADD', KEYS[2], text(now), ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ${times.floorKeptMs})
end
return 'ok'
`;

export function fleetScripts(times: RegistryTimes): FleetScripts {
  const oldest = (age: number) =>
    `return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - ${age}), 'WITHSCORES', 'LIMIT', 0, ARGV[2])`;
  return {
    hearServer: redisScript(CLOCK, hearServerLua(times)),
    drain: redisScript(CLOCK, drainLua(times)),
    listStreams: redisScript(
      CLOCK,
      `return redis.call('ZRANGEBYSCORE', KEYS[1], text(now - ${times.leaseMs}), '+inf')`,
    ),
    silentStreams: redisScript(CLOCK, oldest(times.leaseMs)),
    forget: redisScript(`
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if score and tonumber(score) == tonumber(ARGV[3]) then redis.call('ZREM', KEYS[1], ARGV[2]) end
return 'ok'
`),
    note: redisScript(CLOCK, noteLua(times)),
    leftovers: redisScript(CLOCK, oldest(LEFTOVER_MS)),
    touchMarker: redisScript(
      CLOCK,
      luaMarker(times),
      `
local wait, boot = settled_in(KEYS[1])
redis.call('PEXPIRE', KEYS[1], ${times.floorKeptMs})
return { text(wait), boot }
`,
    ),
  };
}
