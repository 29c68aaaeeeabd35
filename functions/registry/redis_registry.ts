/**
 * The registry on Redis. Every change of owner is one script that compares epochs by the server's clock; a heartbeat
 * is one pipeline per node; a look-up is one GET.
 */
import { makeSessionId, parseEpoch, parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { StreamId } from '../../contracts/ids.ts';
import {
  carryOnSchema,
  playbackPolicySchema,
  serverAddressSchema,
  streamRecordSchema,
} from '../../contracts/registry.ts';
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
  StreamReport,
} from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { REGISTRY_TIMES } from './ownership.ts';
import type { RedisAccess, ScriptCall } from './redis_access.ts';
import {
  CLAIM,
  DRAIN,
  HEAR_SERVER,
  LIST_STREAMS,
  RELEASE,
  REPORT_STREAM,
  STOP,
  TOUCH_MARKER,
  UNCLAIM,
} from './redis_scripts.ts';

export interface RedisRegistryOptions {
  readonly redis: RedisAccess;
  /** That many random bytes, for session ids. */
  readonly random: (length: number) => Uint8Array;
  /** How long a session waits for its publisher when the release does not say, ms. */
  readonly reconnectWindowMs?: number;
  /** Added to the server's clock, ms; tests move time with it. */
  readonly clockOffsetMs?: () => number;
}

const MARKER = 'hw:boot';
const FLEET = {
  servers: 'hw:{fleet}:servers',
  load: 'hw:{fleet}:load',
  heard: 'hw:{fleet}:heard',
  streams: 'hw:{fleet}:streams',
  draining: 'hw:{fleet}:draining',
} as const;

const streamKey = (streamId: StreamId): string => `hw:{${streamId}}:stream`;
const recordKey = (streamId: StreamId): string => `hw:{${streamId}}:record`;
const grantKey = (streamId: StreamId, claimId: string): string => `hw:{${streamId}}:claim:${claimId}`;

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

function strings(value: unknown): readonly string[] {
  const list: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  throw new Error(`got ${typeof value} from a registry script, wanted a list of strings`);
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

class RedisRegistry implements Registry, FleetOperations {
  readonly #redis: RedisAccess;
  readonly #random: (length: number) => Uint8Array;
  readonly #windowMs: string;
  readonly #offset: () => string;

  constructor(options: RedisRegistryOptions) {
    this.#redis = options.redis;
    this.#random = options.random;
    this.#windowMs = String(options.reconnectWindowMs ?? REGISTRY_TIMES.reconnectWindowMs);
    this.#offset = () => String(options.clockOffsetMs?.() ?? 0);
  }

  async claim(request: ClaimRequest): Promise<ClaimReply> {
    const { streamId, claimId } = request;
    const keys = [streamKey(streamId), recordKey(streamId), grantKey(streamId, claimId)];
    if (await this.#redis.isOneNode()) return this.#claim(request, [...keys, MARKER], 0);
    // A script of a cluster sees one slot, so the marker is looked at before, and again before the grant is believed.
    const marker = await this.#redis.keyBeside(MARKER, streamId);
    const [settledInMs, boot] = await this.#touch(marker);
    const reply = await this.#claim(request, keys, Number(settledInMs));
    if (reply.outcome !== 'granted') return reply;
    const [waitMs, bootAfter] = await this.#touch(marker);
    if (boot === bootAfter) return reply;
    await this.#redis.run([{ script: UNCLAIM, keys, args: [this.#offset(), String(reply.epoch)] }]);
    return { outcome: 'wait', retryAfterMs: Math.max(1, Number(waitMs)) };
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply> {
    const { serverId, seq, ingest, capacity, streams } = request;
    const offset = this.#offset();
    const server: ScriptCall = {
      script: HEAR_SERVER,
      keys: [FLEET.servers, FLEET.load, FLEET.heard, FLEET.streams, FLEET.draining],
      args: [
        offset,
        serverId,
        String(seq),
        ingest ?? '',
        String(capacity.streams),
        String(capacity.maxStreams),
        capacity.ready && !capacity.draining ? '1' : '0',
        ...streams.filter(({ state }) => state !== 'ended').map(({ streamId }) => streamId),
      ],
    };
    const markers = await this.#redis.keysOnEachNode(MARKER);
    const address = JSON.stringify(request.address);
    const results = await this.#redis.run([
      server,
      ...streams.map((report): ScriptCall => ({
        script: REPORT_STREAM,
        keys: [streamKey(report.streamId), recordKey(report.streamId)],
        args: [offset, this.#windowMs, report.streamId, serverId, address, String(seq), ...reportArgs(report)],
      })),
      ...markers.map((marker) => this.#touchCall(marker)),
    ]);
    const [drain, ...flat] = strings(results[0]);
    const peers: HeartbeatReply['peers'] = [];
    for (let index = 0; index + 2 < flat.length; index += 3) {
      const [peer = '', peerIngest = '', load] = flat.slice(index, index + 3);
      peers.push({ serverId: peer, ingest: peerIngest, streams: Number(load) });
    }
    const lost = streams.flatMap(({ streamId, epoch }, index) => {
      const result = results[index + 1];
      return result === 'ok' ? [] : [{ streamId, epoch, reason: lostReason(result) }];
    });
    return { lost, peers, drain: drain === '1' };
  }

  async release(request: ReleaseRequest): Promise<ReleaseReply> {
    const { streamId, reason, windowMs, report } = request;
    const [result] = await this.#redis.run([
      {
        script: RELEASE,
        keys: [streamKey(streamId), recordKey(streamId)],
        args: [
          this.#offset(),
          this.#windowMs,
          streamId,
          reason,
          windowMs === undefined ? '' : String(windowMs),
          ...reportArgs(report),
        ],
      },
    ]);
    return { outcome: result === 'stale' ? 'stale' : 'released' };
  }

  async resolve(streamId: StreamId): Promise<StreamRecord | undefined> {
    const text = await this.#redis.get(recordKey(streamId));
    return text === null ? undefined : parsePayload(streamRecordSchema, JSON.parse(text), 'record');
  }

  async streams(): Promise<StreamRecord[]> {
    const [ids] = await this.#redis.run([{ script: LIST_STREAMS, keys: [FLEET.streams], args: [this.#offset()] }]);
    const records = await Promise.all(strings(ids).map((id) => this.resolve(parseStreamId(id))));
    return records
      .flatMap((record) => (record === undefined || record.state === 'ended' ? [] : [record]))
      .toSorted((a, b) => (a.streamId < b.streamId ? -1 : 1));
  }

  async stop(streamId: StreamId, reason: StopReason): Promise<boolean> {
    const keys = [streamKey(streamId), recordKey(streamId)];
    const [result] = await this.#redis.run([{ script: STOP, keys, args: [this.#offset(), streamId, reason] }]);
    return result === 'stopped';
  }

  async drain(serverId: string, draining: boolean): Promise<boolean> {
    const keys = [FLEET.servers, FLEET.draining];
    const args = [this.#offset(), serverId, draining ? '1' : '0'];
    const [result] = await this.#redis.run([{ script: DRAIN, keys, args }]);
    return result === 'done';
  }

  async #claim(request: ClaimRequest, keys: readonly string[], settledInMs: number): Promise<ClaimReply> {
    const [result] = await this.#redis.run([
      {
        script: CLAIM,
        keys,
        args: [
          this.#offset(),
          String(REGISTRY_TIMES.settleMs),
          request.streamId,
          request.serverId,
          JSON.stringify(request.address),
          request.playback,
          request.record,
          json(request.title),
          request.replaces === undefined ? '' : String(request.replaces),
          // The script puts its own time before it.
          makeSessionId(0, this.#random(10)).slice(10),
          this.#windowMs,
          String(settledInMs),
        ],
      },
    ]);
    return readClaimReply(result);
  }

  #touchCall(marker: string): ScriptCall {
    return { script: TOUCH_MARKER, keys: [marker], args: [this.#offset(), String(REGISTRY_TIMES.settleMs)] };
  }

  async #touch(marker: string): Promise<readonly string[]> {
    const [result] = await this.#redis.run([this.#touchCall(marker)]);
    return strings(result);
  }
}

/** Each method rejects when Redis does not answer in the access's time. */
export function createRedisRegistry(options: RedisRegistryOptions): Registry & FleetOperations {
  return new RedisRegistry(options);
}
