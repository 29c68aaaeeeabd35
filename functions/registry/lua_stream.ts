/**
 * The pieces of Lua that the scripts of one stream are put together from: its hash, its record, and the events that a
 * change makes, as session_events.ts has them.
 *
 * `hw:{streamId}:stream` is a hash: the highest numbers (`epoch`, `nextMsn`, `disc`, `pdt`, `sequence` of events) and
 * the owner (`owner` is its epoch, empty when there is none); addresses, shapes and titles are JSON text that Lua passes
 * on unread. Every script of a stream is given its keys in this order: stream, record, outbox (list of events), told
 * (sorted set: ids of events by time), sessions (hash: id to `start:end`).
 */
import { PREVIOUS_OWNERS } from './ownership.ts';
import { MOST_EVENT_IDS, MOST_EVENTS, MOST_SESSIONS, YOUNG_SESSION_MS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';
import { REASON } from './session_events.ts';

export function luaStream(times: RegistryTimes): string {
  return `
local function copy(s)
  local c = {}
  for field, value in pairs(s) do c[field] = value end
  return c
end

-- Returns what is known of the stream, and the same once more, as it was before.
local function load(key)
  local flat = redis.call('HGETALL', key)
  local s = {}
  for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
  if not s.owner then s.owner = '' end
  return s, copy(s)
end

local function record_of(id, s)
  return '{"v":1,"streamId":"' .. id .. '","sessionId":"' .. s.session .. '","epoch":' .. s.owner ..
    ',"state":"' .. s.state .. '","startedAtMs":' .. s.started .. ',"serverId":' .. cjson.encode(s.server) ..
    ',"address":' .. s.address .. ',"previous":[' .. s.previous .. '],"playback":"' .. s.playback ..
    '","renditions":' .. (s.renditions == '' and '[]' or s.renditions) ..
    (s.title == '' and '' or ',"title":' .. s.title) .. '}'
end

local function save(id, s)
  local flat = {}
  for field, value in pairs(s) do
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  redis.call('HSET', KEYS[1], unpack(flat))
  redis.call('PEXPIRE', KEYS[1], ${times.floorKeptMs})
  if s.owner == '' then return end
  local kept = s.state == 'ended' and ${times.endedKeptMs} or ${times.silentKeptMs}
  redis.call('SET', KEYS[2], record_of(id, s), 'PX', kept)
end

-- The owners before this one, newest first: JSON objects, a line each.
local function push_previous(s)
  local items = '{"epoch":' .. s.owner .. ',"address":' .. s.address .. '}'
  local count = 1
  for item in string.gmatch(s.previousLines or '', '[^\\n]+') do
    if count == ${PREVIOUS_OWNERS} then break end
    items = items .. '\\n' .. item
    count = count + 1
  end
  return items
end

local function set_previous(s, lines)
  s.previousLines = lines
  s.previous = string.gsub(lines, '\\n', ',')
end

local function stricter(before, after)
  if before == 'signed' then return before end
  return after
end
`;
}

/** The sequence begins at the clock in ms: a registry that was emptied has forgotten it, and the clock lies above. */
export function luaEvents(times: RegistryTimes): string {
  return `
local function emit(s, id, kind, session, data)
  if redis.call('ZSCORE', KEYS[4], id) then return false end
  redis.call('ZADD', KEYS[4], text(now), id)
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -${MOST_EVENT_IDS + 1})
  redis.call('PEXPIRE', KEYS[4], ${times.eventsKeptMs})
  s.sequence = text((s.sequence or '') ~= '' and num(s.sequence) + 1 or now)
  redis.call('RPUSH', KEYS[3], '{"id":' .. cjson.encode(id) .. ',"type":"' .. kind .. '","sessionId":"' .. session ..
    '","sequence":' .. s.sequence .. ',"atMs":' .. text(now) .. ',"data":' .. data .. '}')
  redis.call('LTRIM', KEYS[3], -${MOST_EVENTS}, -1)
  redis.call('PEXPIRE', KEYS[3], ${times.eventsKeptMs})
  return true
end
local function unsent() return redis.call('EXISTS', KEYS[3]) end
`;
}

/** @param id the Lua expression of the stream's id */
function luaSaying(id: string): string {
  return `
local function seconds(ms) return text(math.floor(ms / 1000 + 0.5)) end
local function is_open(told) return told == 'live' or told == 'interrupted' end

local function say_live(s)
  emit(s, 'evt_' .. s.session .. '_live', 'stream.live', s.session, '{"path":"/' .. ${id} .. '/live.m3u8","playback":"' ..
    s.playback .. '"' .. (s.title == '' and '' or ',"title":' .. s.title) .. '}')
end
local function say_interrupted(s, of, window_ms, reason)
  emit(s, 'evt_' .. of.session .. '_' .. of.owner .. '_interrupted', 'stream.interrupted', of.session,
    '{"reason":' .. cjson.encode(reason) .. ',"windowSeconds":' .. seconds(math.max(0, window_ms)) .. '}')
end
local function say_resumed(s, away_ms)
  emit(s, 'evt_' .. s.session .. '_' .. s.owner .. '_resumed', 'stream.resumed', s.session,
    '{"awaySeconds":' .. seconds(away_ms) .. '}')
end
local function say_ended(s, of, reason)
  emit(s, 'evt_' .. of.session .. '_ended', 'stream.ended', of.session,
    '{"reason":' .. cjson.encode(reason) .. ',"durationSeconds":' .. seconds(now - num(of.started)) .. '}')
end

`;
}

function luaSessionList(times: RegistryTimes): string {
  return `
local function begin_session(s)
  if redis.call('HSETNX', KEYS[5], s.session, s.started .. ':') == 1 and redis.call('HLEN', KEYS[5]) > ${MOST_SESSIONS} then
    local ids = redis.call('HKEYS', KEYS[5])
    table.sort(ids)
    redis.call('HDEL', KEYS[5], ids[1])
  end
  redis.call('PEXPIRE', KEYS[5], ${times.eventsKeptMs})
end
local function end_session(of)
  local entry = redis.call('HGET', KEYS[5], of.session)
  if entry and string.sub(entry, -1) ~= ':' then return end
  redis.call('HSET', KEYS[5], of.session, of.started .. ':' .. text(now))
  redis.call('PEXPIRE', KEYS[5], ${times.eventsKeptMs})
end
`;
}

const LUA_CONCLUDE = `
-- before: what was known; reason: why, or ''; taken_over: the claimer replaced a server that had not let go.
local function conclude(before, s, reason, taken_over)
  if before.owner ~= '' and before.session ~= s.session then
    if is_open(before.told) then say_ended(s, before, '${REASON.replaced}') end
    end_session(before)
  end
  if s.owner == '' then return end
  if before.owner == '' or before.session ~= s.session then begin_session(s) end
  if taken_over and s.told == 'live' then
    say_interrupted(s, before, 0, '${REASON.takenOver}')
    say_resumed(s, now - num(before.renewed) + num(before.mediaAge))
    s.toldAt = text(now)
  end
  if s.told == 'nothing' and s.shape ~= '' then
    say_live(s)
    s.told = 'live'
    s.toldAt = text(now)
  end
  if s.told == 'live' and s.state == 'interrupted' then
    say_interrupted(s, s, num(s.windowEnds) - now, reason ~= '' and reason or '${REASON.away}')
    s.told = 'interrupted'
    s.toldAt = text(now)
  elseif s.told == 'interrupted' and s.state == 'live' then
    say_resumed(s, now - num(s.toldAt))
    s.told = 'live'
    s.toldAt = text(now)
  end
  if s.state == 'ended' and s.told ~= 'ended' then
    if reason == '' then reason = before.state == 'interrupted' and '${REASON.notBack}' or '${REASON.ended}' end
    if is_open(s.told) then say_ended(s, s, reason) end
    s.told = 'ended'
    s.toldAt = text(now)
  end
  if s.state == 'ended' then end_session(s) end
end

-- What was told of a session that is known from a report alone: all, unless it may just have begun.
local function told_before(r)
  if r.state == 'ended' then return 'ended' end
  if r.shape == '' or now - num(r.started) < ${YOUNG_SESSION_MS} then return 'nothing' end
  return r.state
end
`;

/**
 * `conclude` tells what changed; it stands between a change and `save`.
 * @param id the Lua expression of the stream's id
 */
export function luaSessions(id: string, times: RegistryTimes): string {
  return [luaSaying(id), luaSessionList(times), LUA_CONCLUDE].join('\n');
}

/**
 * A report stands in ARGV from `first` on: epoch, session id, startedAtMs, state, next MSN, discontinuity sequence, end
 * of PDT, shape, rendition names, playback, record, title, media age.
 */
export const LUA_REPORT = `
local order = { live = 0, interrupted = 1, ended = 2 }
local function furthest(before, after)
  if order[after] > order[before] then return after end
  return before
end

local function read_report(first)
  local names = { 'epoch', 'session', 'started', 'state', 'nextMsn', 'disc', 'pdt', 'shape', 'renditions',
    'playback', 'record', 'title', 'mediaAge' }
  local r = {}
  for i, name in ipairs(names) do r[name] = ARGV[first + i - 1] end
  return r
end

local function raise(s, r)
  for _, name in ipairs({ 'epoch', 'nextMsn', 'disc', 'pdt' }) do
    if s[name] == nil or num(r[name]) > num(s[name]) then s[name] = r[name] end
  end
end

-- The owner's own report of the epoch before, because it may not know yet that it has a newer one: a sign of life.
local function is_inherited(s, r, server)
  if s.owner == '' or (s.inherits or '') == '' or s.server ~= server or s.session ~= r.session then return false end
  return num(r.epoch) >= num(s.inherits) and num(r.epoch) < num(s.owner)
end

-- Returns false when a newer epoch stands there.
local function apply_report(s, r, server, address, window_ms)
  local inherited = is_inherited(s, r, server)
  if inherited then
    r.epoch = s.owner
    r.state = s.state
    r.mediaAge = text(math.min(num(r.mediaAge), num(s.mediaAge) + now - num(s.renewed)))
  end
  if num(r.epoch) < num(s.epoch) then return false end
  local same = s.owner == r.epoch
  if same and s.server ~= server then return false end
  local session = s.owner ~= '' and s.session == r.session
  local moved = num(r.nextMsn) > num(s.nextMsn)
  if not same then
    set_previous(s, session and push_previous(s) or '')
    s.released = ''
    s.stopped = ''
    s.restored = '1'
  end
  if not session then
    s.told = told_before(r)
    s.toldAt = text(now)
  end
  if not (same and (s.released ~= '' or s.state == 'interrupted')) then s.windowEnds = text(now + window_ms) end
  -- Who has handed a stream over decides no more about its session.
  if not (same and s.released == 'moving') then s.state = furthest(same and s.state or 'live', r.state) end
  if not same or moved then s.reported = text(now) end
  s.renewed = text(now)
  if r.shape ~= '' or not session then
    s.shape = r.shape
    s.renditions = r.renditions
  end
  s.playback = stricter(session and s.playback or '', r.playback)
  if not inherited then s.inherits = '' end
  s.owner = r.epoch
  s.session = r.session
  s.started = r.started
  s.server = server
  s.address = address
  s.record = r.record
  s.title = r.title
  s.mediaAge = r.mediaAge
  raise(s, r)
  return true
end
`;
