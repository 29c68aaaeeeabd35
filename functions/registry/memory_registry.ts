/**
 * The registry of the one-machine run: the ownership rules around a map. It survives nothing, which is why epochs and
 * first media sequence numbers come from the clock.
 */
import type { StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  FleetOperations,
  HeartbeatReply,
  HeartbeatRequest,
  Registry,
  ReleaseReply,
  ReleaseRequest,
  StopReason,
  StreamRecord,
} from '../../contracts/registry.ts';
import { applyRelease, applyReport, applyStop, decideClaim, NO_FLOOR, REGISTRY_TIMES, toRecord } from './ownership.ts';
import type { KnownStream, RegistryTimes } from './ownership.ts';
import { isOvertaken, readyPeers } from './server_list.ts';
import type { KnownServer } from './server_list.ts';

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
}

/** Streams whose numbers are remembered at most; beyond that the oldest that nobody owns are forgotten. */
const MOST_STREAMS = 100_000;
const MOST_GRANTS = 32;
const SWEEP_EVERY_MS = 60_000;

class MemoryRegistry implements Registry, FleetOperations {
  readonly #streams = new Map<StreamId, StreamEntry>();
  readonly #servers = new Map<string, KnownServer>();
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
    if (before !== undefined && nowMs - before.atMs <= this.#times.grantKeptMs) return Promise.resolve(before.reply);
    const settledInMs = this.#settledInMs(nowMs);
    if (entry?.known.owner === undefined && settledInMs > 0) {
      return Promise.resolve({ outcome: 'wait', retryAfterMs: settledInMs });
    }
    const known = entry?.known ?? { floor: NO_FLOOR, owner: undefined };
    const decision = decideClaim(known, request, nowMs, this.#times, this.#options.random(10));
    if (decision.known !== undefined) {
      const kept = this.#keep(request.streamId, decision.known, nowMs);
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
      const known = this.#streams.get(report.streamId)?.known ?? { floor: NO_FLOOR, owner: undefined };
      const stopped = known.owner?.epoch === report.epoch ? known.owner.stopped : undefined;
      if (stopped !== undefined) {
        lost.push({ streamId: report.streamId, epoch: report.epoch, reason: stopped });
        continue;
      }
      const next = applyReport(known, report, request, nowMs, this.#times);
      if (next === undefined) lost.push({ streamId: report.streamId, epoch: report.epoch, reason: 'superseded' });
      else if (!overtaken) this.#keep(report.streamId, next, nowMs);
    }
    const peers = readyPeers(this.#servers.values(), serverId, nowMs, this.#times.leaseMs);
    return Promise.resolve({ lost, peers, drain });
  }

  release(request: ReleaseRequest): Promise<ReleaseReply> {
    const nowMs = this.#now();
    const known = this.#streams.get(request.streamId)?.known ?? { floor: NO_FLOOR, owner: undefined };
    const next = applyRelease(known, request, nowMs, this.#times);
    if (next === undefined) return Promise.resolve({ outcome: 'stale' });
    this.#keep(request.streamId, next, nowMs);
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
    const entry = this.#streams.get(streamId);
    const next = entry === undefined ? undefined : applyStop(entry.known, reason);
    if (next !== undefined) this.#keep(streamId, next, this.#now());
    return Promise.resolve(next !== undefined);
  }

  drain(serverId: string, draining: boolean): Promise<boolean> {
    const server = this.#servers.get(serverId);
    if (server !== undefined) this.#servers.set(serverId, { ...server, drain: draining });
    return Promise.resolve(server !== undefined);
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

  #keep(streamId: StreamId, known: KnownStream, nowMs: number): StreamEntry {
    const entry: StreamEntry = this.#streams.get(streamId) ?? { known, touchedAtMs: nowMs, grants: new Map() };
    entry.known = known;
    entry.touchedAtMs = nowMs;
    // Moved to the end: the map's order is the order of the last change.
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

/**
 * Ended streams are found for ten minutes, silent ones for six hours; the highest epoch and MSN of a stream are kept
 * for seven days, or until 100,000 streams are known. After that the clock lies above them: an epoch is at least its
 * time in ms, an MSN at least its time in s, and neither is used up faster.
 */
export function createMemoryRegistry(options: MemoryRegistryOptions): Registry & FleetOperations {
  return new MemoryRegistry(options);
}
