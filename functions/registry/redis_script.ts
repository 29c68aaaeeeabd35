/**
 * A Lua script for Redis 7 and Valkey 8, and what all of ours begin with.
 */
import { createHash } from 'node:crypto';
import type { RegistryTimes } from './registry_times.ts';

export interface RedisScript {
  readonly lua: string;
  /** SHA-1 of the text, by which EVALSHA finds it. */
  readonly sha: string;
}

export function redisScript(...parts: readonly string[]): RedisScript {
  const lua = parts.join('\n');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** ARGV[1] is a number of ms that is added to the clock: 0, except in tests, which move time with it. */
export const CLOCK = `
local function clock_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[1])
end
local function text(number) return string.format('%.0f', number) end
local function num(value) return tonumber(value) or 0 end
local now = clock_ms()
`;

/** When this node was first found empty: gives ms until claims of unknown streams are answered, and the marker. */
export function luaMarker(times: RegistryTimes): string {
  return `
local function settled_in(key)
  local boot = redis.call('GET', key)
  if not boot then
    boot = text(now)
    redis.call('SET', key, boot, 'PX', ${times.floorKeptMs})
  end
  return num(boot) + ${times.settleMs} - now, boot
end
`;
}
