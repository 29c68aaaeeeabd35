/**
 * The scripts of the outbox: events that follow from no transition, and what is taken out. Keys as in lua_stream.ts.
 */
import { luaEvents, luaStream } from './lua_stream.ts';
import { CLOCK, redisScript } from './redis_script.ts';
import type { RedisScript } from './redis_script.ts';
import { HEALTH_KEPT_MS, MOST_EVENT_IDS, MOST_HEALTH_EVENTS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';

export interface EventScripts {
  /** KEYS: the stream's five. ARGV: clock offset, event id, type, session id, data. Returns `1`, or `0`: there was one. */
  readonly append: RedisScript;
  /** KEYS: the stream's five, health events (list), their ids (sorted set). ARGV: as append, then epoch, `1` for a health event. Returns `noted` or `stale`. */
  readonly notify: RedisScript;
  /** KEYS: outbox, health events. ARGV: the id that was taken or ''. Returns what stands first then, or nothing. */
  readonly next: RedisScript;
  /** KEYS: outbox, health events. */
  readonly discard: RedisScript;
}

/** Appending changes nothing of the stream but its sequence. */
const APPENDED = (times: RegistryTimes): string => `
local function append()
  if not emit(s, ARGV[2], ARGV[3], ARGV[4], ARGV[5]) then return false end
  redis.call('HSET', KEYS[1], 'sequence', s.sequence)
  redis.call('PEXPIRE', KEYS[1], ${times.floorKeptMs})
  return true
end
`;

const HEAD = `local s = load(KEYS[1])`;

const NOTIFY = `
local epoch, oldest = num(ARGV[6]), num(s.epoch)
if (s.inherits or '') ~= '' then oldest = num(s.inherits) end
if epoch < oldest then return 'stale' end
if ARGV[7] ~= '1' then
  if s.state == 'ended' then return 'stale' end
  append()
  return 'noted'
end
if redis.call('ZADD', KEYS[7], 'NX', text(now), ARGV[2]) == 0 then return 'noted' end
redis.call('ZREMRANGEBYRANK', KEYS[7], 0, -${MOST_EVENT_IDS + 1})
redis.call('PEXPIRE', KEYS[7], ${HEALTH_KEPT_MS})
redis.call('RPUSH', KEYS[6], '{"id":' .. cjson.encode(ARGV[2]) .. ',"type":"' .. ARGV[3] .. '","sessionId":"' .. ARGV[4] ..
  '","atMs":' .. text(now) .. ',"data":' .. ARGV[5] .. '}')
redis.call('LTRIM', KEYS[6], -${MOST_HEALTH_EVENTS}, -1)
redis.call('PEXPIRE', KEYS[6], ${HEALTH_KEPT_MS})
return 'noted'
`;

const NEXT = `
for _, key in ipairs(KEYS) do
  local head = redis.call('LINDEX', key, 0)
  if head and ARGV[1] ~= '' and cjson.decode(head).id == ARGV[1] then
    redis.call('LPOP', key)
    break
  end
end
return redis.call('LINDEX', KEYS[1], 0) or redis.call('LINDEX', KEYS[2], 0)
`;

export function eventScripts(times: RegistryTimes): EventScripts {
  const appending = [CLOCK, luaStream(times), luaEvents(times), HEAD, APPENDED(times)];
  return {
    append: redisScript(...appending, `return append() and '1' or '0'`),
    notify: redisScript(...appending, NOTIFY),
    next: redisScript(NEXT),
    discard: redisScript(`return redis.call('DEL', KEYS[1], KEYS[2])`),
  };
}
