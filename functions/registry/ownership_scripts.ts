/**
 * The scripts that change who owns a stream: the rules of ownership.ts and reaping.ts in Lua, one script per change, by
 * the server's own clock, which write the events of a change together with it. All keys of a script carry one hash tag,
 * so that they run on a cluster.
 */
import { LUA_REPORT, luaEvents, luaSessions, luaStream } from './lua_stream.ts';
import { CLOCK, luaMarker, redisScript } from './redis_script.ts';
import type { RedisScript } from './redis_script.ts';
import { LEAST_WATCH_MS, WATCH_GAP_MS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';
import { REASON } from './session_events.ts';

/** KEYS of all of them begin with: stream, record, outbox, told, sessions. ARGV of all begin with: clock offset, window ms, stream id. */
export interface OwnershipScripts {
  /**
   * KEYS: + grant by claim id, and where it lies on the same node for sure, the boot marker. ARGV: + server id, address,
   * playback, record, title, epoch to replace or '', the random part of a session id, ms until settled when no marker is
   * given. Returns the reply as JSON, and `1` when the outbox holds something.
   */
  readonly claim: RedisScript;
  /** Takes back a grant on a node that turned out to have been emptied meanwhile. KEYS: + grant. ARGV: + epoch. */
  readonly unclaim: RedisScript;
  /** ARGV: + server id, address, seq, report. Returns `ok`, `unsent` (ok, and the outbox holds something), `lost`, or why it was stopped. */
  readonly report: RedisScript;
  /** ARGV: + reason, the release's own window or '', detail or '', report. Returns `released` or `stale`, and `1` as claim. */
  readonly release: RedisScript;
  /** ARGV: + `ended` or `revoked`. Returns `stopped` or `unknown`, and `1` as claim. */
  readonly stop: RedisScript;
  /** Looks at a silent session. Returns `over`, `heard`, `watched`, or `due` with session, epoch, address, renewal. */
  readonly look: RedisScript;
  /** ARGV: + epoch, renewal that were looked at. Returns `ended` or `heard`, and `1` as claim. */
  readonly reap: RedisScript;
  /** ARGV: + session id. Returns whether it is the owner's and has not ended, when it ended or '', whether an owner is known. */
  readonly sessionState: RedisScript;
}

const HEAD = `
local id, window_ms = ARGV[3], num(ARGV[2])
local s, before = load(KEYS[1])
`;

/** Answers when nothing is to be granted; otherwise finds out what the next epoch starts from. */
const decideLua = (times: RegistryTimes): string => `
local kept = redis.call('GET', KEYS[6])
if kept then return { kept, text(unsent()) } end
local id, window_ms, server, address = ARGV[3], num(ARGV[2]), ARGV[4], ARGV[5]
local s, before = load(KEYS[1])
local wait
if KEYS[7] then wait = settled_in(KEYS[7]) else wait = num(ARGV[11]) end
if s.owner == '' and wait > 0 then return { cjson.encode({ 'wait', text(wait) }), '0' } end

local function held()
  if s.owner == '' or num(s.owner) < num(s.epoch) then return false end
  if s.state ~= 'live' or s.released ~= '' then return false end
  if s.server == server then return false end
  if s.owner ~= ARGV[9] then return true end
  return num(s.mediaAge) + (now - num(s.renewed)) < ${times.freshMediaMs}
end
if held() then
  return { cjson.encode({ 'owned', s.server, s.address, s.owner, text(now - num(s.renewed)) }), '0' }
end

local function resumable()
  if s.owner == '' or s.state == 'ended' then return false end
  if ARGV[6] == 'signed' and s.playback ~= 'signed' then return false end
  if s.released ~= '' or s.state == 'interrupted' then return now <= num(s.windowEnds) end
  return now - num(s.renewed) <= ${times.leaseMs} + window_ms
end
local resumed = resumable()
local taken_over = resumed and s.state == 'live' and s.released == '' and s.server ~= server

local next_msn, disc = num(s.nextMsn), num(s.disc)
local clean = (s.released == 'moving' or s.released == 'ended') and (s.stopped or '') == ''
if s.owner ~= '' and not clean then
  local jump = math.ceil(math.max(0, now - num(s.reported)) / 1000) + 2
  next_msn = next_msn + jump
  disc = disc + jump
  if s.restored == '1' then next_msn = math.max(next_msn, math.floor(now / 1000)) end
end
if not resumed then next_msn = math.max(next_msn, math.floor(now / 1000)) end

`;

const grantLua = (times: RegistryTimes): string => `
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
if not (resumed and s.server == server) then
  s.inherits = ''
elseif (s.inherits or '') == '' then
  s.inherits = s.owner
end
if not resumed then
  s.session = new_session()
  s.started = text(now)
  s.shape = ''
  s.renditions = ''
  s.told = 'nothing'
  s.toldAt = s.started
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
conclude(before, s, '', taken_over)
save(id, s)
local reply = cjson.encode({ 'granted', s.epoch, s.session, s.started, resumed and '1' or '0', s.playback,
  s.nextMsn, s.disc, s.pdt, s.shape })
redis.call('SET', KEYS[6], reply, 'PX', ${times.grantKeptMs})
return { reply, text(unsent()) }
`;

const reportLua = (times: RegistryTimes): string => `
local server, address, seq = ARGV[4], ARGV[5], num(ARGV[6])
local r = read_report(7)
local known = s.owner == r.epoch or is_inherited(s, r, server)
if known and s.server == server and (s.stopped or '') ~= '' then return s.stopped end
-- Overtaken by a later heartbeat of the same server, and not the first after a silence.
local overtaken = known and s.server == server and (s.seq or '') ~= '' and seq < num(s.seq)
if overtaken and now - num(s.renewed) <= ${times.leaseMs} then return 'ok' end
if not apply_report(s, r, server, address, window_ms) then return 'lost' end
s.seq = ARGV[6]
conclude(before, s, '')
save(id, s)
return unsent() == 1 and 'unsent' or 'ok'
`;

const RELEASE = `
local reason = ARGV[4]
local r = read_report(7)
if num(r.epoch) < num(s.epoch) then return { 'stale', '0' } end
if s.owner ~= r.epoch then
  raise(s, r)
  save(id, s)
  return { 'released', text(unsent()) }
end
if reason ~= 'moving' then s.state = furthest(s.state, reason) end
s.started = r.started
s.renewed = text(now)
if num(r.nextMsn) > num(s.nextMsn) then s.reported = text(now) end
if r.shape ~= '' then
  s.shape = r.shape
  s.renditions = r.renditions
end
s.playback = stricter(s.playback, r.playback)
s.record = r.record
s.title = r.title
local ends = now + (ARGV[5] == '' and window_ms or num(ARGV[5]))
if s.released ~= '' then ends = math.min(ends, num(s.windowEnds)) end
s.windowEnds = text(ends)
if s.released ~= 'ended' then s.released = reason end
s.inherits = ''
raise(s, r)
conclude(before, s, ARGV[6])
save(id, s)
return { 'released', text(unsent()) }
`;

const STOP = `
if s.owner == '' or s.state == 'ended' then return { 'unknown', '0' } end
s.state = 'ended'
s.released = 'ended'
s.stopped = ARGV[4]
conclude(before, s, ARGV[4] == 'revoked' and '${REASON.stopped.revoked}' or '${REASON.stopped.ended}')
save(id, s)
return { 'stopped', text(unsent()) }
`;

/** The watch stands beside the record, and is void once the lease was renewed. */
const lookLua = (times: RegistryTimes): string => `
if s.owner == '' or s.state == 'ended' then return { 'over' } end
local silent = now - num(s.renewed)
if silent <= ${times.leaseMs} then return { 'heard' } end
local unbroken = s.watchOf == s.renewed and now - num(s.watchLook) <= ${WATCH_GAP_MS}
local since = unbroken and num(s.watchSince) or now
redis.call('HSET', KEYS[1], 'watchOf', s.renewed, 'watchSince', text(since), 'watchLook', text(now))
local ends = num(s.renewed) + ${times.leaseMs} + window_ms
if s.released ~= '' or s.state == 'interrupted' then ends = num(s.windowEnds) end
if now - since < math.max(window_ms, ${LEAST_WATCH_MS}) or now <= ends then return { 'watched' } end
return { 'due', s.session, s.owner, s.address, s.renewed }
`;

const REAP = `
if s.owner ~= ARGV[4] or s.renewed ~= ARGV[5] or s.state == 'ended' then return { 'heard', '0' } end
local reason = s.state == 'interrupted' and '${REASON.notBack}' or '${REASON.silent}'
s.state = 'ended'
s.released = 'ended'
s.stopped = 'ended'
conclude(before, s, reason)
save(id, s)
return { 'ended', text(unsent()) }
`;

const SESSION_STATE = `
local running = s.owner ~= '' and s.session == ARGV[4] and s.state ~= 'ended'
local entry = redis.call('HGET', KEYS[5], ARGV[4]) or ':'
local ended = string.match(entry, ':(%d+)$')
return { running and '1' or '0', ended and text(now - num(ended)) or '', s.owner == '' and '0' or '1' }
`;

export function ownershipScripts(times: RegistryTimes): OwnershipScripts {
  const stream = luaStream(times);
  const events = luaEvents(times);
  const sessions = luaSessions('ARGV[3]', times);
  const changing = (...parts: readonly string[]) => redisScript(CLOCK, stream, events, sessions, ...parts);
  return {
    claim: changing(luaMarker(times), decideLua(times), grantLua(times)),
    unclaim: redisScript(`
if redis.call('HGET', KEYS[1], 'owner') == ARGV[4] then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
end
return 'ok'
`),
    report: changing(LUA_REPORT, HEAD, reportLua(times)),
    release: changing(LUA_REPORT, HEAD, RELEASE),
    stop: changing(HEAD, STOP),
    look: redisScript(CLOCK, stream, HEAD, lookLua(times)),
    reap: changing(HEAD, REAP),
    sessionState: redisScript(CLOCK, stream, HEAD, SESSION_STATE),
  };
}
