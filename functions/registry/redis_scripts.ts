/**
 * The registry's scripts for Redis 7 and Valkey 8: the rules of ownership.ts in Lua, one script per change, by the
 * server's own clock. All keys of a script carry one hash tag, so that they run on a cluster.
 *
 * `hw:{streamId}:stream` is a hash: the highest numbers (`epoch`, `nextMsn`, `disc`, `pdt`) and the owner (`owner` is
 * its epoch, empty when there is none); addresses, shapes and titles are JSON text that Lua passes on unread.
 */
import { createHash } from 'node:crypto';
import { PREVIOUS_OWNERS, REGISTRY_TIMES } from './ownership.ts';

export interface RedisScript {
  readonly lua: string;
  /** SHA-1 of the text, by which EVALSHA finds it. */
  readonly sha: string;
}

function script(...parts: readonly string[]): RedisScript {
  const lua = parts.join('\n');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** Most peers that are named, and most candidates that are looked at for them. */
const MOST_PEERS = 8;
const MOST_CANDIDATES = 32;
/** A server that was silent for this long is forgotten, ms. */
const SERVER_KEPT_MS = 3_600_000;

/** ARGV[1] is a number of ms that is added to the clock: 0, except in tests, which move time with it. */
const CLOCK = `
local function clock_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[1])
end
local function text(number) return string.format('%.0f', number) end
local function num(value) return tonumber(value) or 0 end
local now = clock_ms()
`;

const MARKER = `
local function settled_in(key, settle_ms)
  local boot = redis.call('GET', key)
  if not boot then
    boot = text(now)
    redis.call('SET', key, boot, 'PX', ${REGISTRY_TIMES.floorKeptMs})
  end
  return num(boot) + settle_ms - now, boot
end
`;

const STREAM = `
local function load(key)
  local flat = redis.call('HGETALL', key)
  local s = {}
  for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
  if not s.owner then s.owner = '' end
  return s
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
  redis.call('PEXPIRE', KEYS[1], ${REGISTRY_TIMES.floorKeptMs})
  if s.owner == '' then return end
  local kept = s.state == 'ended' and ${REGISTRY_TIMES.endedKeptMs} or ${REGISTRY_TIMES.silentKeptMs}
  redis.call('SET', KEYS[2], record_of(id, s), 'PX', kept)
end

-- The owners before this one, newest first: JSON objects, one a comma apart; how many stands in previousCount.
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

/**
 * A report stands in ARGV from `first` on: epoch, session id, startedAtMs, state, next MSN, discontinuity sequence, end
 * of PDT, shape, rendition names, playback, record, title, media age.
 */
const REPORT = `
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

-- Returns false when a newer epoch stands there.
local function apply_report(s, r, server, address, window_ms)
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
  if not (same and (s.released ~= '' or s.state == 'interrupted')) then s.windowEnds = text(now + window_ms) end
  s.state = furthest(same and s.state or 'live', r.state)
  if not same or moved then s.reported = text(now) end
  s.renewed = text(now)
  if r.shape ~= '' or not session then
    s.shape = r.shape
    s.renditions = r.renditions
  end
  s.playback = stricter(session and s.playback or '', r.playback)
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

/**
 * KEYS: stream, record, grant by claim id, and where it lies on the same node for sure, the boot marker.
 * ARGV: clock offset, settle ms, stream id, server id, address, playback, record, title, epoch to replace or '',
 * the random part of a session id, reconnect window ms, ms until settled when no marker is given.
 */
export const CLAIM = script(
  CLOCK,
  MARKER,
  STREAM,
  `
local kept = redis.call('GET', KEYS[3])
if kept then return kept end
local id, server, address = ARGV[3], ARGV[4], ARGV[5]
local s = load(KEYS[1])
local wait
if KEYS[4] then wait = settled_in(KEYS[4], num(ARGV[2])) else wait = num(ARGV[12]) end
if s.owner == '' and wait > 0 then return cjson.encode({ 'wait', text(wait) }) end

local function held()
  if s.owner == '' or num(s.owner) < num(s.epoch) then return false end
  if s.state ~= 'live' or s.released ~= '' then return false end
  if s.server == server then return false end
  if s.owner ~= ARGV[9] then return true end
  return num(s.mediaAge) + (now - num(s.renewed)) < ${REGISTRY_TIMES.freshMediaMs}
end
if held() then
  return cjson.encode({ 'owned', s.server, s.address, s.owner, text(now - num(s.renewed)) })
end

local function resumable()
  if s.owner == '' or s.state == 'ended' then return false end
  if ARGV[6] == 'signed' and s.playback ~= 'signed' then return false end
  if s.released ~= '' or s.state == 'interrupted' then return now <= num(s.windowEnds) end
  return now - num(s.renewed) <= ${REGISTRY_TIMES.leaseMs} + num(ARGV[11])
end
local resumed = resumable()

local next_msn, disc = num(s.nextMsn), num(s.disc)
local clean = (s.released == 'moving' or s.released == 'ended') and (s.stopped or '') == ''
if s.owner ~= '' and not clean then
  local jump = math.ceil(math.max(0, now - num(s.reported)) / 1000) + 2
  next_msn = next_msn + jump
  disc = disc + jump
  if s.restored == '1' then next_msn = math.max(next_msn, math.floor(now / 1000)) end
end
if not resumed then next_msn = math.max(next_msn, math.floor(now / 1000)) end

local digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
local function new_session()
  local rest, head = now, ''
  for _ = 1, 10 do
    local digit = rest % 32
    head = string.sub(digits, digit + 1, digit + 1) .. head
    rest = math.floor(rest / 32)
  end
  return head .. ARGV[10]
end

set_previous(s, resumed and push_previous(s) or '')
s.playback = stricter(resumed and s.playback or '', ARGV[6])
if not resumed then
  s.session = new_session()
  s.started = text(now)
  s.shape = ''
  s.renditions = ''
end
s.epoch = text(math.max(num(s.epoch) + 1, now))
s.owner = s.epoch
s.nextMsn = text(next_msn)
s.disc = text(disc)
s.pdt = s.pdt or '0'
s.server = server
s.address = address
s.state = 'live'
s.renewed = text(now)
s.reported = s.renewed
s.restored = '0'
s.mediaAge = '0'
s.record = ARGV[7]
s.title = ARGV[8]
s.released = ''
s.windowEnds = '0'
s.seq = ''
s.stopped = ''
save(id, s)
local reply = cjson.encode({ 'granted', s.epoch, s.session, s.started, resumed and '1' or '0', s.playback,
  s.nextMsn, s.disc, s.pdt, s.shape })
redis.call('SET', KEYS[3], reply, 'PX', ${REGISTRY_TIMES.grantKeptMs})
return reply
`,
);

/** Takes back a grant on a node that turned out to have been emptied meanwhile. KEYS: as CLAIM's first three. ARGV: clock offset, epoch. */
export const UNCLAIM = script(`
if redis.call('HGET', KEYS[1], 'owner') == ARGV[2] then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
return 'ok'
`);

/** KEYS: stream, record. ARGV: clock offset, window ms, stream id, server id, address, seq, report. Returns `ok`, `lost`, or why a person ended it. */
export const REPORT_STREAM = script(
  CLOCK,
  STREAM,
  REPORT,
  `
local s = load(KEYS[1])
local r = read_report(7)
if num(r.epoch) < num(s.epoch) then return 'lost' end
local seq = num(ARGV[6])
if s.owner == r.epoch and s.server ~= ARGV[4] then return 'lost' end
if s.owner == r.epoch and (s.stopped or '') ~= '' then return s.stopped end
-- Overtaken by a later heartbeat of the same server, and not the first after a silence.
local overtaken = s.owner == r.epoch and (s.seq or '') ~= '' and seq < num(s.seq)
if overtaken and now - num(s.renewed) <= ${REGISTRY_TIMES.leaseMs} then return 'ok' end
if not apply_report(s, r, ARGV[4], ARGV[5], num(ARGV[2])) then return 'lost' end
s.seq = ARGV[6]
save(ARGV[3], s)
return 'ok'
`,
);

/** KEYS: stream, record. ARGV: clock offset, window ms, stream id, reason, the release's own window or '', report. Returns `released` or `stale`. */
export const RELEASE = script(
  CLOCK,
  STREAM,
  REPORT,
  `
local s = load(KEYS[1])
local r = read_report(6)
if num(r.epoch) < num(s.epoch) then return 'stale' end
if s.owner ~= r.epoch then
  raise(s, r)
  save(ARGV[3], s)
  return 'released'
end
local reason = ARGV[4]
local state, media_age, released, window_ends = s.state, s.mediaAge, s.released, num(s.windowEnds)
apply_report(s, r, s.server, s.address, num(ARGV[2]))
if reason == 'moving' then s.state = state else s.state = furthest(state, reason) end
s.mediaAge = media_age
s.released = released == 'ended' and 'ended' or reason
local ends = now + (ARGV[5] == '' and num(ARGV[2]) or num(ARGV[5]))
if released ~= '' then ends = math.min(ends, window_ends) end
s.windowEnds = text(ends)
save(ARGV[3], s)
return 'released'
`,
);

/** KEYS: stream, record. ARGV: clock offset, stream id, `ended` or `revoked`. Returns `stopped` or `unknown`. */
export const STOP = script(
  CLOCK,
  STREAM,
  `
local s = load(KEYS[1])
if s.owner == '' or s.state == 'ended' then return 'unknown' end
s.state = 'ended'
s.released = 'ended'
s.stopped = ARGV[3]
save(ARGV[2], s)
return 'stopped'
`,
);

/** KEYS: reported streams. ARGV: clock offset. Returns the ids of those that were reported within a lease. */
export const LIST_STREAMS = script(
  CLOCK,
  `return redis.call('ZRANGEBYSCORE', KEYS[1], text(now - ${REGISTRY_TIMES.leaseMs}), '+inf')`,
);

/** KEYS: servers, draining servers. ARGV: clock offset, server id, `1` to drain. Returns `done` or `unknown`. */
export const DRAIN = script(
  CLOCK,
  `
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 'unknown' end
if ARGV[3] == '1' then redis.call('HSET', KEYS[2], ARGV[2], '1') else redis.call('HDEL', KEYS[2], ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ${REGISTRY_TIMES.floorKeptMs})
return 'done'
`,
);

/**
 * KEYS: servers (hash), load (sorted set), heard (sorted set), reported streams (sorted set), draining servers (hash). ARGV: clock offset, server id, seq, ingest or '',
 * streams, most streams, `1` when it takes publishers, then the ids of its streams. Returns
 * whether it is to drain, then peers as a flat list: server id, ingest, streams.
 */
export const HEAR_SERVER = script(
  CLOCK,
  `
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
local overtaken = known and num(ARGV[3]) < num(known.seq) and now - num(known.heard) <= ${REGISTRY_TIMES.leaseMs}
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
  for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ${SERVER_KEPT_MS}) end
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', text(now - ${SERVER_KEPT_MS}))
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ${SERVER_KEPT_MS}), 'LIMIT', 0, 16)) do
  forget(old)
end
local peers = { redis.call('HGET', KEYS[5], id) and '1' or '0' }
for _, peer in ipairs(redis.call('ZRANGE', KEYS[2], 0, ${MOST_CANDIDATES - 1})) do
  if #peers > ${3 * MOST_PEERS} then break end
  local about = peer ~= id and read(peer)
  if about and now - num(about.heard) <= ${REGISTRY_TIMES.leaseMs} then
    peers[#peers + 1] = peer
    peers[#peers + 1] = about.ingest
    peers[#peers + 1] = about.streams
  elseif peer ~= id then
    redis.call('ZREM', KEYS[2], peer)
  end
end
return peers
`,
);

/** Marks a node as known to be in use. KEYS: marker. ARGV: clock offset, settle ms. Returns ms until settled, and the marker. */
export const TOUCH_MARKER = script(
  CLOCK,
  MARKER,
  `
local wait, boot = settled_in(KEYS[1], num(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ${REGISTRY_TIMES.floorKeptMs})
return { text(wait), boot }
`,
);
