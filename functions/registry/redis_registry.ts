/**
 * The registry on Redis. Every change of owner is one script that compares epochs by the server's clock; a heartbeat
 * is one pipeline per node; a look-up is one GET.
 */
import type { NotifyReply } from '../../contracts/function_calls.ts';
import { makeSessionId, parseEpoch, parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent, Notification } from '../../contracts/lifecycle_event.ts';
import {
  carryOnSchema,
  playbackPolicySchema,
  serverAddressSchema,
  streamRecordSchema,
} from '../../contracts/registry.ts';
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
import { parsePayload } from '../../contracts/schema.ts';
import type { Leftover } from '../outbox.ts';
import type { SessionState, SilentSession } from '../reap_sessions.ts';
import type { FleetRegistry } from './fleet_registry.ts';
import type { RedisAccess, ScriptCall } from './redis_access.ts';
import { RedisCalls, strings } from './redis_calls.ts';
import { FLEET, grantKey, MARKER, recordKey, streamKeys } from './redis_keys.ts';
import { RedisOutbox } from './redis_outbox.ts';
import { RedisReaping } from './redis_reaping.ts';
import { REGISTRY_TIMES } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';

export interface RedisRegistryOptions {
  readonly redis: RedisAccess;
  /** That many random bytes, for session ids. */
  readonly random: (length: number) => Uint8Array;
  /** How long a session waits for its publisher when the release does not say, ms. */
  readonly reconnectWindowMs?: number;
  /** Added to the server's clock, ms; tests move time with it. */
  readonly clockOffsetMs?: () => number;
  /** How long keys live, where it is not as REGISTRY_TIMES has it; tests see them expire with it. */
  readonly keyLives?: Partial<
    Pick<RegistryTimes, 'grantKeptMs' | 'endedKeptMs' | 'silentKeptMs' | 'floorKeptMs' | 'eventsKeptMs'>
  >;
}

function json(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}

/** The report as the scripts read it. */
function reportArgs(report: StreamReport): readonly string[] {
  return [
    String(report.epoch),
    report.sessionId,
    String(report.startedAtMs),
    report.state,
    String(report.nextMsn),
    String(report.discontinuitySequence),
    String(report.programDateTimeEndMs),
    json(report.shape),
    json(report.shape?.renditions.map((rendition) => rendition.name)),
    report.playback,
    report.record,
    json(report.title),
    String(Math.max(0, Math.round(report.mediaAgeMs))),
  ];
}

function readClaimReply(value: unknown): ClaimReply {
  const [outcome, ...rest] = strings(value);
  if (outcome === 'wait') return { outcome, retryAfterMs: Number(rest[0]) };
  if (outcome === 'owned') {
    const [ownerServerId = '', address = '', epoch, age] = rest;
    return {
      outcome,
      ownerServerId,
      ownerAddress: parsePayload(serverAddressSchema, JSON.parse(address), 'ownerAddress'),
      ownerEpoch: parseEpoch(epoch),
      leaseAgeMs: Number(age),
    };
  }
  if (outcome !== 'granted') throw new Error('the claim script gave an unknown outcome');
  const [epoch, sessionId, startedAtMs, resumed, playback, nextMsn, disc, pdtEnd, shape = ''] = rest;
  return {
    outcome,
    epoch: parseEpoch(epoch),
    sessionId: parseSessionId(sessionId),
    startedAtMs: Number(startedAtMs),
    resumed: resumed === '1',
    playback: parsePayload(playbackPolicySchema, playback, 'playback'),
    carryOn: parsePayload(
      carryOnSchema,
      {
        nextMsn: Number(nextMsn),
        discontinuitySequence: Number(disc),
        programDateTimeEndMs: Number(pdtEnd),
        ...(shape !== '' && { shape: JSON.parse(shape) as unknown }),
      },
      'carryOn',
    ),
  };
}

function lostReason(result: unknown): 'superseded' | StopReason {
  return result === 'ended' || result === 'revoked' ? result : 'superseded';
}

/** `start:end`, as session index entries stand in their hash. */
function readSession([id, times]: readonly [string, string]): SessionEntry {
  const [startedAtMs, endedAtMs = ''] = times.split(':');
  const entry: SessionEntry = { sessionId: parseSessionId(id), startedAtMs: Number(startedAtMs) };
  return endedAtMs === '' ? entry : { ...entry, endedAtMs: Number(endedAtMs) };
}

class RedisRegistry implements FleetRegistry {
  readonly #calls: RedisCalls;
  readonly #outbox: RedisOutbox;
  readonly #reaping: RedisReaping;
  readonly #redis: RedisAccess;
  readonly #random: (length: number) => Uint8Array;

  constructor({ redis, random, reconnectWindowMs, clockOffsetMs, keyLives }: RedisRegistryOptions) {
    const { reconnectWindowMs: usual } = REGISTRY_TIMES;
    this.#calls = new RedisCalls({
      redis,
      times: { ...REGISTRY_TIMES, reconnectWindowMs: reconnectWindowMs ?? usual, ...keyLives },
      offsetMs: clockOffsetMs ?? (() => 0),
    });
    this.#outbox = new RedisOutbox(this.#calls);
    this.#reaping = new RedisReaping(this.#calls);
    this.#redis = redis;
    this.#random = random;
  }

  async claim(request: ClaimRequest): Promise<ClaimReply> {
    const { streamId, claimId } = request;
    const keys = [...streamKeys(streamId), grantKey(streamId, claimId)];
    const note = this.#calls.note(streamId, true);
    if (await this.#redis.isOneNode()) {
      const [, result] = await this.#redis.run([note, this.#claimCall(request, [...keys, MARKER], 0)]);
      return this.#readClaim(streamId, result);
    }
    // A script of a cluster sees one slot, so the marker is looked at before, and again before the grant is believed.
    const touch = this.#calls.touch(await this.#calls.markerBeside(recordKey(streamId)));
    const [touched] = await this.#redis.run([touch, note]);
    const [settledInMs, boot] = strings(touched);
    const [result] = await this.#redis.run([this.#claimCall(request, keys, Number(settledInMs))]);
    const reply = this.#readClaim(streamId, result);
    if (reply.outcome !== 'granted') return reply;
    const [waitMs, bootAfter] = strings((await this.#redis.run([touch]))[0]);
    if (boot === bootAfter) return reply;
    const args = [...this.#calls.ownershipArgs(streamId), String(reply.epoch)];
    await this.#redis.run([{ script: this.#calls.ownership.unclaim, keys, args }]);
    return { outcome: 'wait', retryAfterMs: Math.max(1, Number(waitMs)) };
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply> {
    const { streams } = request;
    const markers = await this.#redis.keysOnEachNode(MARKER);
    const results = await this.#redis.run([
      this.#hearCall(request),
      ...streams.map((report) => this.#reportCall(request, report)),
      ...markers.map((marker) => this.#calls.touch(marker)),
    ]);
    const [drain, ...flat] = strings(results[0]);
    const peers: HeartbeatReply['peers'] = [];
    for (let index = 0; index + 2 < flat.length; index += 3) {
      const [peer = '', peerIngest = '', load] = flat.slice(index, index + 3);
      peers.push({ serverId: peer, ingest: peerIngest, streams: Number(load) });
    }
    const lost = streams.flatMap(({ streamId, epoch }, index) => {
      const result = results[index + 1];
      if (result === 'unsent') this.#calls.unsent.add(streamId);
      return result === 'ok' || result === 'unsent' ? [] : [{ streamId, epoch, reason: lostReason(result) }];
    });
    return { lost, peers, drain: drain === '1' };
  }

  async release(request: ReleaseRequest): Promise<ReleaseReply> {
    const { streamId, reason, windowMs, detail, report } = request;
    const outcome = await this.#calls.changed(streamId, {
      script: this.#calls.ownership.release,
      keys: streamKeys(streamId),
      args: [
        ...this.#calls.ownershipArgs(streamId),
        reason,
        windowMs === undefined ? '' : String(windowMs),
        detail ?? '',
        ...reportArgs(report),
      ],
    });
    return { outcome: outcome === 'stale' ? 'stale' : 'released' };
  }

  async resolve(streamId: StreamId): Promise<StreamRecord | undefined> {
    const text = await this.#redis.get(recordKey(streamId));
    return text === null ? undefined : parsePayload(streamRecordSchema, JSON.parse(text), 'record');
  }

  async streams(): Promise<StreamRecord[]> {
    const { fleet, offset } = this.#calls;
    const [ids] = await this.#redis.run([{ script: fleet.listStreams, keys: [FLEET.streams], args: [offset] }]);
    const records = await Promise.all(strings(ids).map((id) => this.resolve(parseStreamId(id))));
    return records
      .flatMap((record) => (record === undefined || record.state === 'ended' ? [] : [record]))
      .toSorted((a, b) => (a.streamId < b.streamId ? -1 : 1));
  }

  async sessions(streamId: StreamId): Promise<SessionEntry[]> {
    const entries = Object.entries(await this.#redis.hash(streamKeys(streamId)[4] ?? ''));
    return entries.map(readSession).toSorted((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
  }

  async stop(streamId: StreamId, reason: StopReason): Promise<boolean> {
    const outcome = await this.#calls.changed(streamId, {
      script: this.#calls.ownership.stop,
      keys: streamKeys(streamId),
      args: [...this.#calls.ownershipArgs(streamId), reason],
    });
    return outcome === 'stopped';
  }

  async drain(serverId: string, draining: boolean): Promise<boolean> {
    const keys = [FLEET.servers, FLEET.draining];
    const args = [this.#calls.offset, serverId, draining ? '1' : '0'];
    const [result] = await this.#redis.run([{ script: this.#calls.fleet.drain, keys, args }]);
    return result === 'done';
  }

  notify(notification: Notification): Promise<NotifyReply> {
    return this.#outbox.notify(notification);
  }

  append(event: Omit<LifecycleEvent, 'sequence' | 'timestamp'>): Promise<boolean> {
    return this.#outbox.append(event);
  }

  takeUnsent(): readonly StreamId[] {
    return this.#outbox.takeUnsent();
  }

  next(streamId: StreamId, takenId?: string): Promise<LifecycleEvent | HealthEvent | undefined> {
    return this.#outbox.next(streamId, takenId);
  }

  discard(streamId: StreamId): Promise<void> {
    return this.#outbox.discard(streamId);
  }

  leftovers(limit: number): Promise<readonly Leftover[]> {
    return this.#outbox.leftovers(limit);
  }

  settle(leftover: Leftover): Promise<void> {
    return this.#outbox.settle(leftover);
  }

  silentSessions(): Promise<readonly SilentSession[]> {
    return this.#reaping.silentSessions();
  }

  endSilent(session: SilentSession): Promise<boolean> {
    return this.#reaping.endSilent(session);
  }

  sessionState(streamId: StreamId, sessionId: SessionId): Promise<SessionState> {
    return this.#reaping.sessionState(streamId, sessionId);
  }

  #claimCall(request: ClaimRequest, keys: readonly string[], settledInMs: number): ScriptCall {
    return {
      script: this.#calls.ownership.claim,
      keys,
      args: [
        ...this.#calls.ownershipArgs(request.streamId),
        request.serverId,
        JSON.stringify(request.address),
        request.playback,
        request.record,
        json(request.title),
        request.replaces === undefined ? '' : String(request.replaces),
        // The script puts its own time before it.
        makeSessionId(0, this.#random(10)).slice(10),
        String(settledInMs),
      ],
    };
  }

  #readClaim(streamId: StreamId, result: unknown): ClaimReply {
    const [reply, unsent] = strings(result);
    if (unsent === '1') this.#calls.unsent.add(streamId);
    return readClaimReply(reply);
  }

  #hearCall({ serverId, seq, ingest, capacity, streams }: HeartbeatRequest): ScriptCall {
    return {
      script: this.#calls.fleet.hearServer,
      keys: [FLEET.servers, FLEET.load, FLEET.heard, FLEET.streams, FLEET.draining],
      args: [
        this.#calls.offset,
        serverId,
        String(seq),
        ingest ?? '',
        String(capacity.streams),
        String(capacity.maxStreams),
        capacity.ready && !capacity.draining ? '1' : '0',
        ...streams.filter(({ state }) => state !== 'ended').map(({ streamId }) => streamId),
      ],
    };
  }

  #reportCall({ serverId, seq, address }: HeartbeatRequest, report: StreamReport): ScriptCall {
    return {
      script: this.#calls.ownership.report,
      keys: streamKeys(report.streamId),
      args: [
        ...this.#calls.ownershipArgs(report.streamId),
        serverId,
        JSON.stringify(address),
        String(seq),
        ...reportArgs(report),
      ],
    };
  }
}

/** Each method rejects when Redis does not answer in the access's time. */
export function createRedisRegistry(options: RedisRegistryOptions): FleetRegistry {
  return new RedisRegistry(options);
}
