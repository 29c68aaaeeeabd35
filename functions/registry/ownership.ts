/**
 * The rules of who owns a stream, as functions of what is known, what is asked and the registry's time. The registry
 * in memory is these rules around a map; the Redis scripts follow them line by line, and one contract suite holds both.
 */
import { makeSessionId } from '../../contracts/ids.ts';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type {
  CarryOn,
  ClaimReply,
  ClaimRequest,
  PlaybackPolicy,
  RecordPolicy,
  ReleaseRequest,
  ServerAddress,
  StopReason,
  StreamRecord,
  StreamReport,
  StreamState,
} from '../../contracts/registry.ts';
import type { SessionShape } from '../../contracts/stream_shape.ts';
import type { RegistryTimes } from './registry_times.ts';
import { REASON, tell, toldBefore } from './session_events.ts';
import type { Cause, NewEvent, Told } from './session_events.ts';

/** Earlier owners that are remembered; a player is rarely more than one behind. */
export const PREVIOUS_OWNERS = 8;

/** The highest numbers that a stream has used; the next ones lie above. */
export interface Floor {
  readonly epoch: number;
  readonly nextMsn: number;
  readonly discontinuitySequence: number;
  readonly programDateTimeEndMs: number;
}

export interface Ownership {
  readonly streamId: StreamId;
  readonly epoch: Epoch;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly serverId: string;
  readonly address: ServerAddress;
  readonly state: StreamState;
  /** Registry's time of the claim or of the last heartbeat that named the stream. */
  readonly renewedAtMs: number;
  /** Registry's time of the claim or of the first report with the numbers that are known. */
  readonly reportedAtMs: number;
  /** Known from its owner's report alone: the registry was emptied, and newer owners may have been forgotten. */
  readonly restored: boolean;
  readonly mediaAgeMs: number;
  readonly shape: SessionShape | undefined;
  readonly playback: PlaybackPolicy;
  readonly record: RecordPolicy;
  readonly title: string | undefined;
  /** What the owner said when it let go. */
  readonly released: ReleaseRequest['reason'] | undefined;
  /** Until when the session waits for its next owner, once released. */
  readonly windowEndsAtMs: number;
  readonly previous: StreamRecord['previous'];
  /** Why a person, or the reaper, ended the session: what its owner is told until it stops reporting it. */
  readonly stopped: StopReason | undefined;
  /**
   * The epoch that this server had before, when it has not reported the new one yet: the reply to its claim may be
   * lost, so reports from that epoch on still count as its own.
   */
  readonly inherits: Epoch | undefined;
  /** What the operator's webhook was last told of the session, and when. */
  readonly told: Told;
  readonly toldAtMs: number;
  /** The reaper's watch over a session whose lease ran out; void once the lease is renewed. */
  readonly watch: Watch | undefined;
}

export interface Watch {
  readonly sinceMs: number;
  readonly lastLookMs: number;
  /** The renewal that the watch began after. */
  readonly renewedAtMs: number;
}

export interface KnownStream {
  readonly floor: Floor;
  readonly owner: Ownership | undefined;
}

/** What a call changes, and what is told of it. */
export interface Change {
  readonly known: KnownStream;
  readonly events: readonly NewEvent[];
}

function change(before: KnownStream, floor: Floor, after: Ownership | undefined, nowMs: number, cause?: Cause): Change {
  const { owner, events } = tell(before.owner, after, nowMs, cause);
  return { known: { floor, owner }, events };
}

export const NO_FLOOR: Floor = { epoch: 0, nextMsn: 0, discontinuitySequence: 0, programDateTimeEndMs: 0 };

/**
 * The owner whom this claim may not displace. A live stream is never handed to a plain claim, not even when its lease
 * ran out (the control plane may have been away): the claimer asks the owner and then names it in `replaces`.
 */
function holder(
  { owner, floor }: KnownStream,
  request: ClaimRequest,
  nowMs: number,
  times: RegistryTimes,
): Ownership | undefined {
  if (owner === undefined || owner.epoch < floor.epoch) return undefined;
  if (owner.state !== 'live' || owner.released !== undefined) return undefined;
  // A server arbitrates between its own publishers, and claims anew for each restart of an encoder.
  if (request.serverId === owner.serverId) return undefined;
  if (request.replaces !== owner.epoch) return owner;
  // Fresh media proves that the claimer is mistaken.
  const quietForMs = owner.mediaAgeMs + (nowMs - owner.renewedAtMs);
  return quietForMs < times.freshMediaMs ? owner : undefined;
}

/**
 * Is the session still one that this publisher may come back to? A session has one playback policy: who wants it
 * signed does not go on with a public one.
 */
function isResumable(owner: Ownership, request: ClaimRequest, nowMs: number, times: RegistryTimes): boolean {
  if (owner.state === 'ended') return false;
  if (request.playback === 'signed' && owner.playback !== 'signed') return false;
  if (owner.released !== undefined || owner.state === 'interrupted') return nowMs <= owner.windowEndsAtMs;
  return nowMs - owner.renewedAtMs <= times.leaseMs + times.reconnectWindowMs;
}

/**
 * Numbers that no segment of the last owner has: exact when it stopped cleanly, else as far on as it can have come
 * since it last reported (segments last a second or more).
 */
function carryOn({ floor, owner }: KnownStream, nowMs: number): Floor {
  const clean = owner?.released === 'moving' || owner?.released === 'ended';
  if (owner === undefined || (clean && owner.stopped === undefined)) return floor;
  // An interrupted owner may go on publishing gaps until it hears of the next one, so its release counts as a report.
  const jump = Math.ceil(Math.max(0, nowMs - owner.reportedAtMs) / 1000) + 2;
  return {
    ...floor,
    nextMsn: Math.max(floor.nextMsn + jump, owner.restored ? Math.floor(nowMs / 1000) : 0),
    discontinuitySequence: floor.discontinuitySequence + jump,
  };
}

export interface Decision {
  readonly reply: ClaimReply;
  /** Undefined: nothing changed. */
  readonly change?: Change;
}

/** @param random ten bytes for a new session's id */
export function decideClaim(
  known: KnownStream,
  request: ClaimRequest,
  nowMs: number,
  times: RegistryTimes,
  random: Uint8Array,
): Decision {
  const { owner } = known;
  const held = holder(known, request, nowMs, times);
  if (held !== undefined) return { reply: ownedReply(held, nowMs) };
  const resumed = owner !== undefined && isResumable(owner, request, nowMs, times) ? owner : undefined;
  const from = carryOn(known, nowMs);
  const epoch = Math.max(known.floor.epoch + 1, Math.floor(nowMs)) as Epoch;
  const floor: Floor = {
    ...from,
    epoch,
    nextMsn: resumed === undefined ? Math.max(from.nextMsn, Math.floor(nowMs / 1000)) : from.nextMsn,
  };
  const sessionId = resumed?.sessionId ?? makeSessionId(nowMs, random);
  const startedAtMs = resumed?.startedAtMs ?? nowMs;
  const next: Ownership = {
    ...newOwnership(request, resumed, nowMs),
    epoch,
    sessionId,
    startedAtMs,
  };
  const letGo = resumed === undefined || resumed.state !== 'live' || resumed.released !== undefined;
  const takenOver = !letGo && resumed.serverId !== request.serverId;
  const carried: CarryOn = {
    nextMsn: floor.nextMsn,
    discontinuitySequence: floor.discontinuitySequence,
    programDateTimeEndMs: floor.programDateTimeEndMs,
    ...(resumed?.shape !== undefined && { shape: resumed.shape }),
  };
  return {
    reply: {
      outcome: 'granted',
      epoch,
      sessionId,
      startedAtMs,
      resumed: resumed !== undefined,
      playback: next.playback,
      carryOn: carried,
    },
    change: change(known, floor, next, nowMs, { takenOver }),
  };
}

/** What the claimer brings, and what it takes over from the session that it resumes. */
function newOwnership(
  request: ClaimRequest,
  resumed: Ownership | undefined,
  nowMs: number,
): Omit<Ownership, 'epoch' | 'sessionId' | 'startedAtMs'> {
  return {
    streamId: request.streamId,
    serverId: request.serverId,
    address: request.address,
    state: 'live',
    renewedAtMs: nowMs,
    reportedAtMs: nowMs,
    restored: false,
    mediaAgeMs: 0,
    shape: resumed?.shape,
    playback: stricter(resumed?.playback, request.playback),
    record: request.record,
    title: request.title,
    released: undefined,
    windowEndsAtMs: 0,
    stopped: undefined,
    inherits: resumed?.serverId === request.serverId ? (resumed.inherits ?? resumed.epoch) : undefined,
    told: resumed?.told ?? 'nothing',
    toldAtMs: resumed?.toldAtMs ?? nowMs,
    watch: undefined,
    previous: resumed === undefined ? [] : previousOf(resumed),
  };
}

function ownedReply(owner: Ownership, nowMs: number): ClaimReply {
  return {
    outcome: 'owned',
    ownerServerId: owner.serverId,
    ownerAddress: owner.address,
    ownerEpoch: owner.epoch,
    leaseAgeMs: nowMs - owner.renewedAtMs,
  };
}

/** Inside a session, signed stays signed: the link that was given to few does not open for all. */
function stricter(before: PlaybackPolicy | undefined, now: PlaybackPolicy): PlaybackPolicy {
  return before === 'signed' ? before : now;
}

function raise(floor: Floor, report: StreamReport): Floor {
  return {
    epoch: Math.max(floor.epoch, report.epoch),
    nextMsn: Math.max(floor.nextMsn, report.nextMsn),
    discontinuitySequence: Math.max(floor.discontinuitySequence, report.discontinuitySequence),
    programDateTimeEndMs: Math.max(floor.programDateTimeEndMs, report.programDateTimeEndMs),
  };
}

const STATE_ORDER: Readonly<Record<StreamState, number>> = { live: 0, interrupted: 1, ended: 2 };

/** One epoch only goes from live to interrupted to ended, in whatever order the calls arrive. */
function furthest(before: StreamState, now: StreamState): StreamState {
  return STATE_ORDER[now] > STATE_ORDER[before] ? now : before;
}

/** The owner's own report of the epoch before, because it may not know yet that it has a newer one. */
function isInherited(owner: Ownership, report: StreamReport, serverId: string): boolean {
  const { inherits, epoch, sessionId } = owner;
  if (inherits === undefined || owner.serverId !== serverId || sessionId !== report.sessionId) return false;
  return report.epoch >= inherits && report.epoch < epoch;
}

/**
 * Takes over what the owner of `report.epoch` says of its stream.
 * @returns undefined when a newer epoch stands there: the reporter has lost the stream
 */
export function applyReport(
  known: KnownStream,
  said: StreamReport,
  from: { readonly serverId: string; readonly address: ServerAddress },
  nowMs: number,
  times: RegistryTimes,
): Change | undefined {
  const { owner } = known;
  const inherited = owner !== undefined && isInherited(owner, said, from.serverId);
  // A sign of life; how the epoch before fares says nothing of the new one's state.
  const report = inherited ? { ...said, epoch: owner.epoch, state: owner.state } : said;
  if (report.epoch < known.floor.epoch) return undefined;
  if (owner?.epoch === report.epoch && owner.serverId !== from.serverId) return undefined;
  const same = owner?.epoch === report.epoch ? owner : undefined;
  const session = owner?.sessionId === report.sessionId ? owner : undefined;
  // Who has handed a stream over decides no more about its session.
  const state = same?.released === 'moving' ? same.state : furthest(same?.state ?? 'live', report.state);
  const wasInterrupted = same !== undefined && (same.released !== undefined || same.state === 'interrupted');
  const quietForMs = same === undefined ? Infinity : same.mediaAgeMs + nowMs - same.renewedAtMs;
  const after: Ownership = {
    streamId: report.streamId,
    epoch: report.epoch,
    sessionId: report.sessionId,
    startedAtMs: report.startedAtMs,
    serverId: from.serverId,
    address: from.address,
    state,
    renewedAtMs: nowMs,
    reportedAtMs: same === undefined || report.nextMsn > known.floor.nextMsn ? nowMs : same.reportedAtMs,
    restored: same?.restored ?? true,
    mediaAgeMs: inherited ? Math.min(report.mediaAgeMs, quietForMs) : report.mediaAgeMs,
    shape: report.shape ?? session?.shape,
    playback: stricter(session?.playback, report.playback),
    record: report.record,
    title: report.title,
    released: same?.released,
    windowEndsAtMs: wasInterrupted ? same.windowEndsAtMs : nowMs + times.reconnectWindowMs,
    stopped: same?.stopped,
    inherits: inherited ? owner.inherits : undefined,
    told: session?.told ?? toldBefore(report, nowMs),
    toldAtMs: session?.toldAtMs ?? nowMs,
    watch: undefined,
    previous: same?.previous ?? (session === undefined ? [] : previousOf(session)),
  };
  return change(known, raise(known.floor, report), after, nowMs);
}

function previousOf(owner: Ownership): StreamRecord['previous'] {
  return [{ epoch: owner.epoch, address: owner.address }, ...owner.previous].slice(0, PREVIOUS_OWNERS);
}

/** @returns undefined when a newer epoch stands there */
export function applyRelease(
  known: KnownStream,
  request: ReleaseRequest,
  nowMs: number,
  times: RegistryTimes,
): Change | undefined {
  const { owner } = known;
  if (request.epoch < known.floor.epoch) return undefined;
  const floor = raise(known.floor, request.report);
  // The registry was emptied, or lost its last writes: the numbers are kept, the owner's next heartbeat brings the rest.
  if (owner?.epoch !== request.epoch) return { known: { floor, owner }, events: [] };
  const state = request.reason === 'moving' ? owner.state : furthest(owner.state, request.reason);
  // The first release says how long the session waits; a repeated or late one never makes it longer.
  const first = owner.released === undefined;
  const windowMs = request.windowMs ?? times.reconnectWindowMs;
  const { report } = request;
  const after: Ownership = {
    ...owner,
    state,
    startedAtMs: report.startedAtMs,
    renewedAtMs: nowMs,
    reportedAtMs: report.nextMsn > known.floor.nextMsn ? nowMs : owner.reportedAtMs,
    shape: report.shape ?? owner.shape,
    playback: stricter(owner.playback, report.playback),
    record: report.record,
    title: report.title,
    released: owner.released === 'ended' ? 'ended' : request.reason,
    windowEndsAtMs: first ? nowMs + windowMs : Math.min(owner.windowEndsAtMs, nowMs + windowMs),
    inherits: undefined,
    watch: undefined,
  };
  return change(known, floor, after, nowMs, { reason: request.detail });
}

/** Ends the session at a person's word. @returns undefined when there is none that has not ended */
export function applyStop(known: KnownStream, stopped: StopReason, nowMs: number): Change | undefined {
  const { owner, floor } = known;
  if (owner === undefined || owner.state === 'ended') return undefined;
  const after: Ownership = { ...owner, state: 'ended', released: 'ended', stopped };
  return change(known, floor, after, nowMs, { reason: REASON.stopped[stopped] });
}

/**
 * Ends a session of which nothing was heard. @param seen the epoch and the renewal that were looked at
 * @returns undefined when it was heard of since
 */
export function applyReap(
  known: KnownStream,
  seen: Pick<Ownership, 'epoch' | 'renewedAtMs'>,
  nowMs: number,
): Change | undefined {
  const { owner, floor } = known;
  if (owner === undefined || owner.state === 'ended') return undefined;
  if (owner.epoch !== seen.epoch || owner.renewedAtMs !== seen.renewedAtMs) return undefined;
  const after: Ownership = { ...owner, state: 'ended', released: 'ended', stopped: 'ended' };
  return change(known, floor, after, nowMs, { reason: owner.state === 'interrupted' ? REASON.notBack : REASON.silent });
}

/** What the edge is told of a stream. */
export function toRecord(owner: Ownership): StreamRecord {
  return {
    v: 1,
    streamId: owner.streamId,
    sessionId: owner.sessionId,
    epoch: owner.epoch,
    state: owner.state,
    startedAtMs: owner.startedAtMs,
    serverId: owner.serverId,
    address: owner.address,
    previous: owner.previous,
    playback: owner.playback,
    renditions: owner.shape?.renditions.map((rendition) => rendition.name) ?? [],
    ...(owner.title !== undefined && { title: owner.title }),
  };
}
