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

export interface RegistryTimes {
  /** A server that was not heard for this long no longer holds its streams' leases, ms. */
  readonly leaseMs: number;
  /** How long a session waits for its publisher when the release does not say, ms. */
  readonly reconnectWindowMs: number;
  /** How long claims for unknown streams wait after an emptied registry was first seen, ms. */
  readonly settleMs: number;
  /** Media that is known to be younger than this makes its owner unassailable, ms. */
  readonly freshMediaMs: number;
  /** How long a grant is repeated to its claim id, ms. */
  readonly grantKeptMs: number;
  /** How long the record of an ended stream answers `resolve`, ms: more than the grace after the end. */
  readonly endedKeptMs: number;
  /** How long a stream that nobody reports is found at all, ms: far more than any reconnect window. */
  readonly silentKeptMs: number;
  /** How long the highest epoch and MSN of a stream are kept beyond that, ms; the clock takes over from them. */
  readonly floorKeptMs: number;
}

export const REGISTRY_TIMES: RegistryTimes = {
  leaseMs: 10_000,
  reconnectWindowMs: 60_000,
  settleMs: 5_000,
  freshMediaMs: 3_000,
  grantKeptMs: 120_000,
  endedKeptMs: 600_000,
  silentKeptMs: 6 * 3_600_000,
  floorKeptMs: 7 * 24 * 3_600_000,
};

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
  /** Why a person ended the session: what its owner is told until it stops reporting it. */
  readonly stopped: StopReason | undefined;
}

export interface KnownStream {
  readonly floor: Floor;
  readonly owner: Ownership | undefined;
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
  /** What is known afterwards; undefined: nothing changed. */
  readonly known?: KnownStream;
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
    known: { floor, owner: next },
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

/**
 * Takes over what the owner of `report.epoch` says of its stream.
 * @returns undefined when a newer epoch stands there: the reporter has lost the stream
 */
export function applyReport(
  known: KnownStream,
  report: StreamReport,
  from: { readonly serverId: string; readonly address: ServerAddress },
  nowMs: number,
  times: RegistryTimes,
): KnownStream | undefined {
  const { owner } = known;
  if (report.epoch < known.floor.epoch) return undefined;
  if (owner?.epoch === report.epoch && owner.serverId !== from.serverId) return undefined;
  const same = owner?.epoch === report.epoch ? owner : undefined;
  const session = owner?.sessionId === report.sessionId ? owner : undefined;
  const state = furthest(same?.state ?? 'live', report.state);
  const wasInterrupted = same !== undefined && (same.released !== undefined || same.state === 'interrupted');
  return {
    floor: raise(known.floor, report),
    owner: {
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
      mediaAgeMs: report.mediaAgeMs,
      shape: report.shape ?? session?.shape,
      playback: stricter(session?.playback, report.playback),
      record: report.record,
      title: report.title,
      released: same?.released,
      windowEndsAtMs: wasInterrupted ? same.windowEndsAtMs : nowMs + times.reconnectWindowMs,
      stopped: same?.stopped,
      previous: same?.previous ?? (session === undefined ? [] : previousOf(session)),
    },
  };
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
): KnownStream | undefined {
  const { owner } = known;
  if (request.epoch < known.floor.epoch) return undefined;
  const floor = raise(known.floor, request.report);
  // The registry was emptied, or lost its last writes: the numbers are kept, the owner's next heartbeat brings the rest.
  if (owner?.epoch !== request.epoch) return { floor, owner };
  const after = applyReport(known, request.report, owner, nowMs, times)?.owner ?? owner;
  const state = request.reason === 'moving' ? owner.state : furthest(owner.state, request.reason);
  // The first release says how long the session waits; a repeated or late one never makes it longer.
  const first = owner.released === undefined;
  const windowMs = request.windowMs ?? times.reconnectWindowMs;
  return {
    floor,
    owner: {
      ...after,
      state,
      mediaAgeMs: owner.mediaAgeMs,
      released: owner.released === 'ended' ? 'ended' : request.reason,
      windowEndsAtMs: first ? nowMs + windowMs : Math.min(owner.windowEndsAtMs, nowMs + windowMs),
    },
  };
}

/** Ends the session at a person's word. @returns undefined when there is none that has not ended */
export function applyStop({ floor, owner }: KnownStream, reason: StopReason): KnownStream | undefined {
  if (owner === undefined || owner.state === 'ended') return undefined;
  return { floor, owner: { ...owner, state: 'ended', released: 'ended', stopped: reason } };
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
