/**
 * The registry of the one-machine run: the ownership rules around a map. It survives nothing, which is why epochs and
 * first media sequence numbers come from the clock.
 */
import type { NotifyReply } from '../../contracts/function_calls.ts';
import { HEALTH_TYPES } from '../../contracts/lifecycle_event.ts';
import type { HealthEvent, LifecycleEvent, Notification } from '../../contracts/lifecycle_event.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatReply,
  HeartbeatRequest,
  ReleaseReply,
  ReleaseRequest,
  SessionEntry,
  StopReason,
  StreamRecord,
  StreamReport,
} from '../../contracts/registry.ts';
import type { Leftover } from '../outbox.ts';
import type { SessionState, SilentSession } from '../reap_sessions.ts';
import { EventLog } from './event_log.ts';
import type { FleetRegistry } from './fleet_registry.ts';
import { applyReap, applyRelease, applyReport, applyStop, decideClaim, NO_FLOOR, toRecord } from './ownership.ts';
import type { Change, KnownStream } from './ownership.ts';
import { look } from './reaping.ts';
import { LEAST_WATCH_MS, LEFTOVER_MS, REGISTRY_TIMES } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';
import { isOvertaken, readyPeers } from './server_list.ts';
import type { KnownServer } from './server_list.ts';
import { SessionList } from './session_list.ts';

export interface MemoryRegistryOptions {
  readonly clock: {
    /** ms since 1970. */
    readonly nowMs: () => number;
  };
  /** That many random bytes, for session ids. */
  readonly random: (length: number) => Uint8Array;
  /** How long a session waits for its publisher when the release does not say, ms. */
  readonly reconnectWindowMs?: number;
  /** How long claims wait in an empty registry, ms. 0 (the default) where the registry dies with its only server. */
  readonly settleMs?: number;
}

interface StreamEntry {
  known: KnownStream;
  touchedAtMs: number;
  /** Grants by claim id, so that a repeated claim gets the same answer. */
  readonly grants: Map<string, { readonly reply: ClaimReply; readonly atMs: number }>;
  readonly log: EventLog;
  readonly sessions: SessionList;
}

const UNKNOWN: KnownStream = { floor: NO_FLOOR, owner: undefined };
/** Streams whose numbers are remembered at most; beyond that the oldest that nobody owns are forgotten. */
const MOST_STREAMS = 100_000;
const MOST_GRANTS = 32;
const SWEEP_EVERY_MS = 60_000;

class MemoryRegistry implements FleetRegistry {
  readonly #streams = new Map<StreamId, StreamEntry>();
  readonly #servers = new Map<string, KnownServer>();
  readonly #unsent = new Set<StreamId>();
  readonly #options: MemoryRegistryOptions;
  readonly #times: RegistryTimes;
  #emptySinceMs: number | undefined;
  #sweptAtMs = 0;
  #lastMs = 0;

  constructor(options: MemoryRegistryOptions) {
    this.#options = options;
    this.#times = {
      ...REGISTRY_TIMES,
      settleMs: options.settleMs ?? 0,
      reconnectWindowMs: options.reconnectWindowMs ?? REGISTRY_TIMES.reconnectWindowMs,
    };
  }

  claim(request: ClaimRequest): Promise<ClaimReply> {
    const nowMs = this.#now();
    const entry = this.#streams.get(request.streamId);
    const before = entry?.grants.get(request.claimId);
    if (entry !== undefined && before !== undefined && nowMs - before.atMs <= this.#times.grantKeptMs) {
      this.#noteUnsent(request.streamId, entry.log);
      return Promise.resolve(before.reply);
    }
    const settledInMs = this.#settledInMs(nowMs);
    if (entry?.known.owner === undefined && settledInMs > 0) {
      return Promise.resolve({ outcome: 'wait', retryAfterMs: settledInMs });
    }
    const decision = decideClaim(entry?.known ?? UNKNOWN, request, nowMs, this.#times, this.#options.random(10));
    if (decision.change !== undefined) {
      const kept = this.#keep(request.streamId, decision.change, nowMs);
      kept.grants.set(request.claimId, { reply: decision.reply, atMs: nowMs });
      for (const oldest of kept.grants.keys()) {
        if (kept.grants.size <= MOST_GRANTS) break;
        kept.grants.delete(oldest);
      }
    }
    return Promise.resolve(decision.reply);
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply> {
    const nowMs = this.#now();
    this.#settledInMs(nowMs);
    const { serverId, seq, ingest, capacity } = request;
    const server = this.#servers.get(serverId);
    const drain = server?.drain ?? false;
    const overtaken = isOvertaken(server, seq, nowMs, this.#times.leaseMs);
    if (!overtaken) this.#servers.set(serverId, { serverId, seq, ingest, capacity, drain, heardAtMs: nowMs });
    const lost: HeartbeatReply['lost'] = [];
    for (const report of request.streams) {
      const reason = this.#report(report, request, overtaken, nowMs);
      if (reason !== undefined) lost.push({ streamId: report.streamId, epoch: report.epoch, reason });
    }
    const peers = readyPeers(this.#servers.values(), serverId, nowMs, this.#times.leaseMs);
    return Promise.resolve({ lost, peers, drain });
  }

  release(request: ReleaseRequest): Promise<ReleaseReply> {
    const nowMs = this.#now();
    const change = applyRelease(this.#known(request.streamId), request, nowMs, this.#times);
    if (change === undefined) return Promise.resolve({ outcome: 'stale' });
    this.#keep(request.streamId, change, nowMs);
    return Promise.resolve({ outcome: 'released' });
  }

  resolve(streamId: StreamId): Promise<StreamRecord | undefined> {
    const entry = this.#streams.get(streamId);
    const owner = entry === undefined ? undefined : this.#visible(entry, this.#now());
    return Promise.resolve(owner === undefined ? undefined : toRecord(owner));
  }

  streams(): Promise<StreamRecord[]> {
    const nowMs = this.#now();
    const owners = [...this.#streams.values()].flatMap(({ known: { owner } }) => owner ?? []);
    return Promise.resolve(
      owners
        .filter(({ state, renewedAtMs }) => state !== 'ended' && nowMs - renewedAtMs <= this.#times.leaseMs)
        .map(toRecord)
        .toSorted((a, b) => (a.streamId < b.streamId ? -1 : 1)),
    );
  }

  stop(streamId: StreamId, reason: StopReason): Promise<boolean> {
    const nowMs = this.#now();
    const change = applyStop(this.#known(streamId), reason, nowMs);
    if (change !== undefined) this.#keep(streamId, change, nowMs);
    return Promise.resolve(change !== undefined);
  }

  sessions(streamId: StreamId): Promise<SessionEntry[]> {
    return Promise.resolve(this.#streams.get(streamId)?.sessions.newestFirst() ?? []);
  }

  drain(serverId: string, draining: boolean): Promise<boolean> {
    const server = this.#servers.get(serverId);
    if (server !== undefined) this.#servers.set(serverId, { ...server, drain: draining });
    return Promise.resolve(server !== undefined);
  }

  notify({ streamId, epoch, ...told }: Notification): Promise<NotifyReply> {
    const nowMs = this.#now();
    const { floor, owner } = this.#known(streamId);
    const { id, type, sessionId, data } = told;
    if (epoch < Math.min(floor.epoch, owner?.inherits ?? Infinity)) return Promise.resolve({ outcome: 'stale' });
    const { log } = this.#entry(streamId, nowMs);
    if (isHealth(type)) log.appendHealth({ id, type, sessionId, data }, nowMs);
    else if (owner?.state === 'ended') return Promise.resolve({ outcome: 'stale' });
    else log.append({ id, type, sessionId, data }, nowMs);
    this.#noteUnsent(streamId, log);
    return Promise.resolve({ outcome: 'noted' });
  }

  append({ streamId, ...event }: Omit<LifecycleEvent, 'sequence' | 'timestamp'>): Promise<boolean> {
    const nowMs = this.#now();
    const { log } = this.#entry(streamId, nowMs);
    const isNew = log.append(event, nowMs);
    this.#noteUnsent(streamId, log);
    return Promise.resolve(isNew);
  }

  takeUnsent(): readonly StreamId[] {
    const unsent = [...this.#unsent];
    this.#unsent.clear();
    return unsent;
  }

  next(streamId: StreamId, takenId?: string): Promise<LifecycleEvent | HealthEvent | undefined> {
    return Promise.resolve(this.#streams.get(streamId)?.log.next(takenId));
  }

  discard(streamId: StreamId): Promise<void> {
    this.#streams.get(streamId)?.log.discard();
    return Promise.resolve();
  }

  leftovers(limit: number): Promise<readonly Leftover[]> {
    const oldestMs = this.#now() - LEFTOVER_MS;
    const left = [...this.#streams].filter(([, { log }]) => !log.isEmpty && log.lastAtMs < oldestMs);
    return Promise.resolve(left.slice(0, limit).map(([streamId]) => ({ streamId, mark: '' })));
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  silentSessions(): Promise<readonly SilentSession[]> {
    const nowMs = this.#now();
    const due: SilentSession[] = [];
    for (const [streamId, entry] of this.#streams) {
      const { owner, floor } = entry.known;
      if (owner === undefined) continue;
      const seen = look(owner, nowMs, this.#times);
      entry.known = { floor, owner: seen.owner };
      if (seen.silence?.due !== true) continue;
      const { sessionId, epoch, address, renewedAtMs } = owner;
      due.push({ streamId, sessionId, epoch, address, renewedAtMs });
    }
    return Promise.resolve(due);
  }

  endSilent({ streamId, epoch, renewedAtMs }: SilentSession): Promise<boolean> {
    const nowMs = this.#now();
    const change = applyReap(this.#known(streamId), { epoch, renewedAtMs }, nowMs);
    if (change !== undefined) this.#keep(streamId, change, nowMs);
    return Promise.resolve(change !== undefined);
  }

  sessionState(streamId: StreamId, sessionId: SessionId): Promise<SessionState> {
    const nowMs = this.#now();
    const settledInMs = this.#settledInMs(nowMs) - this.#times.settleMs;
    const { owner } = this.#known(streamId);
    if (owner?.sessionId === sessionId && owner.state !== 'ended') return Promise.resolve({ state: 'running' });
    const endedAtMs = this.#streams.get(streamId)?.sessions.endOf(sessionId);
    const unsure = owner === undefined && -settledInMs < Math.max(this.#times.reconnectWindowMs, LEAST_WATCH_MS);
    if (endedAtMs === undefined && unsure) return Promise.resolve({ state: 'unknown' });
    return Promise.resolve({ state: 'over', ...(endedAtMs !== undefined && { endedForMs: nowMs - endedAtMs }) });
  }

  /** @returns why the reporter has lost the stream, if it has */
  #report(
    report: StreamReport,
    from: HeartbeatRequest,
    overtaken: boolean,
    nowMs: number,
  ): HeartbeatReply['lost'][number]['reason'] | undefined {
    const known = this.#known(report.streamId);
    const { owner } = known;
    const change = applyReport(known, report, from, nowMs, this.#times);
    if (change === undefined) return 'superseded';
    if (change.known.owner?.epoch === owner?.epoch && owner?.stopped !== undefined) return owner.stopped;
    if (!overtaken) this.#keep(report.streamId, change, nowMs);
    return undefined;
  }

  #known(streamId: StreamId): KnownStream {
    return this.#streams.get(streamId)?.known ?? UNKNOWN;
  }

  #noteUnsent(streamId: StreamId, log: EventLog): void {
    if (!log.isEmpty) this.#unsent.add(streamId);
  }

  /** The clock, held back from going back: a lease must not grow younger. */
  #now(): number {
    const nowMs = Math.max(this.#lastMs, this.#options.clock.nowMs());
    this.#lastMs = nowMs;
    if (nowMs - this.#sweptAtMs >= SWEEP_EVERY_MS) this.#sweep(nowMs);
    return nowMs;
  }

  /** ms until claims for unknown streams are answered; the first call marks the registry as found empty. */
  #settledInMs(nowMs: number): number {
    this.#emptySinceMs ??= nowMs;
    return this.#emptySinceMs + this.#times.settleMs - nowMs;
  }

  #keep(streamId: StreamId, { known, events }: Change, nowMs: number): StreamEntry {
    const entry = this.#entry(streamId, nowMs);
    entry.sessions.follow(entry.known.owner, known.owner, nowMs);
    entry.known = known;
    for (const event of events) entry.log.append(event, nowMs);
    this.#noteUnsent(streamId, entry.log);
    return entry;
  }

  /** The stream's entry, moved to the end: the map's order is the order of the last change. */
  #entry(streamId: StreamId, nowMs: number): StreamEntry {
    const entry: StreamEntry = this.#streams.get(streamId) ?? {
      known: UNKNOWN,
      touchedAtMs: nowMs,
      grants: new Map(),
      log: new EventLog(streamId, this.#times),
      sessions: new SessionList(),
    };
    entry.touchedAtMs = nowMs;
    this.#streams.delete(streamId);
    this.#streams.set(streamId, entry);
    return entry;
  }

  #visible(entry: StreamEntry, nowMs: number): KnownStream['owner'] {
    const { owner } = entry.known;
    const keptMs = owner?.state === 'ended' ? this.#times.endedKeptMs : this.#times.silentKeptMs;
    return nowMs - entry.touchedAtMs > keptMs ? undefined : owner;
  }

  #sweep(nowMs: number): void {
    this.#sweptAtMs = nowMs;
    for (const [serverId, server] of this.#servers) {
      if (nowMs - server.heardAtMs > this.#times.silentKeptMs) this.#servers.delete(serverId);
    }
    for (const [streamId, entry] of this.#streams) {
      if (this.#visible(entry, nowMs) === undefined) entry.known = { floor: entry.known.floor, owner: undefined };
      for (const [claimId, grant] of entry.grants) {
        if (nowMs - grant.atMs > this.#times.grantKeptMs) entry.grants.delete(claimId);
      }
      const surplus = this.#streams.size > MOST_STREAMS && entry.known.owner === undefined;
      if (surplus || nowMs - entry.touchedAtMs > this.#times.floorKeptMs) this.#streams.delete(streamId);
    }
  }
}

function isHealth(type: Notification['type']): type is HealthEvent['type'] {
  return HEALTH_TYPES.some((health) => health === type);
}

/**
 * Ended streams are found for ten minutes, silent ones for six hours; the highest epoch and MSN of a stream are kept
 * for seven days, or until 100,000 streams are known. After that the clock lies above them: an epoch is at least its
 * time in ms, an MSN at least its time in s, and neither is used up faster.
 */
export function createMemoryRegistry(options: MemoryRegistryOptions): FleetRegistry {
  return new MemoryRegistry(options);
}
