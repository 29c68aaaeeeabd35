/**
 * Everything but media playlists: immutable media from the server that holds its epoch, and the small texts and
 * pictures of a stream, with the last known one while their server is away.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { buildMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import type { StreamRecord } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';
import { UPSTREAM_HEADER } from '../../contracts/edge_dependencies.ts';
import type { UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { BoundedMap } from './bounded_map.ts';
import { StoredObject, bytesOf, notFoundObject, unavailableObject } from './stored_object.ts';
import type { Bytes } from './stored_object.ts';
import type { StreamLookup } from './stream_lookup.ts';
import { holderOf } from './upstream_reader.ts';
import type { UpstreamOutcome, UpstreamReader } from './upstream_reader.ts';

export type MediaObjectPath = MediaPath & { readonly kind: 'init' | 'segment' | 'part' };
export type StreamFilePath = MediaPath & { readonly kind: 'multivariant' | 'poster' | 'status' };

export interface MediaLoaderOptions {
  readonly lookup: StreamLookup;
  readonly upstream: UpstreamReader;
  readonly monotonicMs: () => number;
}

interface ReadLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

const MEDIA_LIMITS = { timeoutMs: 10_000, maxBytes: 2 ** 26 };
const FILE_MAX_BYTES = 2 ** 22;
/** A playlist that is not playable yet is waited for: three of the longest target durations, and one second. */
const LONGEST_WAIT_MS = 31_000;
const FILE_TIMEOUT_MS = 3000;
const MAX_LAST_KNOWN = 2048;
/** An immutable object leaves this edge's memory for want of room only. */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

interface LastKnown {
  readonly sessionId: string;
  readonly object: StoredObject;
}

export class MediaLoader {
  readonly #options: MediaLoaderOptions;
  readonly #lastKnown = new BoundedMap<string, LastKnown>(MAX_LAST_KNOWN);

  constructor(options: MediaLoaderOptions) {
    this.#options = options;
  }

  /**
   * @param targetDuration s; a part that is being made is waited for, three of these
   */
  async media(path: MediaObjectPath, targetDuration: number): Promise<StoredObject> {
    const { lookup, monotonicMs } = this.#options;
    const limits = path.kind === 'part' ? { ...MEDIA_LIMITS, timeoutMs: 3000 * targetDuration + 1000 } : MEDIA_LIMITS;
    let record = await lookup.find(path.streamId).catch(() => 'unavailable' as const);
    if (record === 'unavailable') return unavailableObject(monotonicMs());
    // An epoch ahead of the record: its stream has moved since.
    if (record !== undefined && path.epoch > record.epoch) record = await this.#refresh(record);
    if (record === undefined) return notFoundObject(monotonicMs());
    // The server that listed the epoch may know it before the registry does, or while the registry is away.
    const isListed = path.epoch <= lookup.highestEpoch(path.streamId);
    if (path.epoch > record.epoch && !isListed) return notFoundObject(monotonicMs());
    const holder = holderOf(record, path.epoch);
    const rest = this.#restOf(limits);
    const outcome = await this.#read(path, holder, limits);
    if (outcome.kind !== 'failed') return this.#mediaObject(outcome);
    const now = await this.#refresh(record);
    const next = now === undefined ? holder : holderOf(now, path.epoch);
    if (next.private === holder.private && next.public === holder.public) return unavailableObject(monotonicMs());
    return this.#mediaObject(await this.#read(path, next, rest()));
  }

  async file(path: StreamFilePath): Promise<StoredObject> {
    const { lookup, monotonicMs } = this.#options;
    const last = this.#lastKnown.get(buildMediaPath(path));
    let record = await lookup.find(path.streamId).catch(() => 'unavailable' as const);
    if (record === 'unavailable')
      return last === undefined ? unavailableObject(monotonicMs()) : again(last, monotonicMs());
    if (record === undefined) return notFoundObject(monotonicMs());
    const waits = path.kind === 'multivariant' && last?.sessionId !== record.sessionId;
    const limits = { timeoutMs: waits ? LONGEST_WAIT_MS : FILE_TIMEOUT_MS, maxBytes: FILE_MAX_BYTES };
    const rest = this.#restOf(limits);
    let outcome = await this.#read(path, record.address, limits);
    if (outcome.kind !== 'found') {
      const now = await this.#refresh(record);
      if (now !== undefined && now.epoch !== record.epoch) {
        record = now;
        outcome = await this.#read(path, record.address, rest());
      }
    }
    return this.#fileObject(path, record, outcome);
  }

  /** What a second server is given: the time that the first one leaves, so that no viewer waits twice the longest wait. */
  #restOf(limits: ReadLimits): () => ReadLimits {
    const deadlineMs = this.#options.monotonicMs() + limits.timeoutMs;
    return () => ({ ...limits, timeoutMs: Math.max(FILE_TIMEOUT_MS, deadlineMs - this.#options.monotonicMs()) });
  }

  async #read(path: MediaPath, address: StreamRecord['address'], limits: ReadLimits): Promise<UpstreamOutcome> {
    return this.#options.upstream.read(address, buildMediaPath(path), limits);
  }

  async #refresh(record: StreamRecord): Promise<StreamRecord | undefined> {
    return this.#options.lookup.refresh(record.streamId).catch(() => record);
  }

  #mediaObject(outcome: UpstreamOutcome): StoredObject {
    const nowMs = this.#options.monotonicMs();
    if (outcome.kind === 'failed') return unavailableObject(nowMs);
    if (outcome.kind !== 'found') return notFoundObject(nowMs);
    const type = outcome.reply.headers['content-type'];
    return new StoredObject({
      status: 200,
      body: outcome.reply.body as Bytes,
      contentType: type === CONTENT_TYPE.audio ? CONTENT_TYPE.audio : CONTENT_TYPE.video,
      cacheControl: CACHE_POLICY.media.cacheControl(0),
      etag: outcome.reply.headers.etag,
      fetchedAtMs: nowMs,
      freshForMs: FOREVER_MS,
    });
  }

  #fileObject(path: StreamFilePath, record: StreamRecord, outcome: UpstreamOutcome): StoredObject {
    const nowMs = this.#options.monotonicMs();
    const key = buildMediaPath(path);
    if (outcome.kind === 'found') {
      const object = fileObject(path, outcome.reply, nowMs);
      this.#lastKnown.set(key, { sessionId: record.sessionId, object });
      return object;
    }
    const last = this.#lastKnown.get(key);
    const isOver = record.state === 'ended' && outcome.kind === 'not-found';
    if (path.kind === 'status') return statusObject(record, nowMs);
    if (last?.sessionId === record.sessionId && !isOver) return again(last, nowMs);
    return outcome.kind === 'failed' ? unavailableObject(nowMs) : notFoundObject(nowMs);
  }
}

function fileObject(path: StreamFilePath, reply: UpstreamReply, nowMs: number): StoredObject {
  const targetDuration = Number(reply.headers[UPSTREAM_HEADER.targetDuration]) || 2;
  const [contentType, freshForMs] = {
    multivariant: [CONTENT_TYPE.playlist, 1000] as const,
    poster: [CONTENT_TYPE.poster, 5000] as const,
    status: [CONTENT_TYPE.json, 1000] as const,
  }[path.kind];
  return new StoredObject({
    status: 200,
    body: reply.body as Bytes,
    contentType,
    cacheControl: CACHE_POLICY[path.kind].cacheControl(targetDuration),
    etag: reply.headers.etag,
    fetchedAtMs: nowMs,
    freshForMs,
    compressible: path.kind !== 'poster',
  });
}

/** The last known object for another second. */
function again(last: LastKnown, nowMs: number): StoredObject {
  return last.object.renewed(nowMs, 1000);
}

/** What the registry alone knows, while the stream's server does not answer. */
function statusObject(record: StreamRecord, nowMs: number): StoredObject {
  const status: StreamStatus = {
    streamId: record.streamId,
    live: record.state !== 'ended',
    state: record.state,
    sessionId: record.sessionId,
    startedAt: new Date(record.startedAtMs).toISOString(),
    ...(record.title === undefined ? {} : { title: record.title }),
    renditions: [],
    recordings: [],
  };
  return new StoredObject({
    status: 200,
    body: bytesOf(JSON.stringify(status)),
    contentType: CONTENT_TYPE.json,
    cacheControl: CACHE_POLICY.status.cacheControl(0),
    fetchedAtMs: nowMs,
    freshForMs: 1000,
    compressible: true,
  });
}
