/**
 * Media playlists by the rules of the timeline: while a session is known, a reload is answered, with the last state
 * that this edge saw if need be. A wait survives the change of a stream's owner.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { buildMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { answersQuery, playlistQueryKey } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import type { StreamRecord } from '../../contracts/registry.ts';
import { sleep } from './after.ts';
import type { After } from './after.ts';
import { BoundedMap } from './bounded_map.ts';
import type { EdgeCounters } from './edge_counters.ts';
import { endPlaylist } from './end_playlist.ts';
import { StoredObject, bytesOf, notFoundObject, problemObject, unavailableObject } from './stored_object.ts';
import type { Bytes } from './stored_object.ts';
import { REFRESH_MS } from './stream_lookup.ts';
import type { StreamLookup } from './stream_lookup.ts';
import { readPlaylistFacts } from './upstream_reader.ts';
import type { PlaylistFacts, UpstreamReader } from './upstream_reader.ts';

export type MediaPlaylistPath = MediaPath & { readonly kind: 'media' };

export interface PlaylistLoaderOptions {
  readonly lookup: StreamLookup;
  readonly upstream: UpstreamReader;
  readonly monotonicMs: () => number;
  readonly after: After;
  readonly counters: EdgeCounters;
}

/** The newest whole playlist of one rendition that this edge has seen. */
interface LastKnown extends PlaylistFacts {
  readonly body: Bytes;
  readonly etag: string | undefined;
  readonly fetchedAtMs: number;
}

type Asked =
  | { readonly kind: 'playlist'; readonly object: StoredObject }
  | { readonly kind: 'not-found' | 'too-far' | 'failed' };

/** How long a plain reply serves all who ask. */
const PLAIN_FRESH_MS = 250;
const PLAIN_TIMEOUT_MS = 3000;
/** How long a plain reload waits for the owner when this edge has nothing to answer with. */
const COLD_PATIENCE_MS = 8000;
/** Between two questions to the registry while a wait goes on without an owner. */
const RETRY_MS = 500;
/** Assumed until a playlist says what it is, s: the longest segment there is. */
const LONGEST_TARGET_DURATION = 10;
const MAX_PLAYLIST_BYTES = 2 ** 21;
const MAX_LAST_KNOWN = 4096;
/** A session that is over and forgotten by the registry is answered with ENDLIST for this long. */
const ENDED_KEPT_MS = 600_000;

export class PlaylistLoader {
  readonly #options: PlaylistLoaderOptions;
  readonly #lastKnown = new BoundedMap<string, LastKnown>(MAX_LAST_KNOWN);

  constructor(options: PlaylistLoaderOptions) {
    this.#options = options;
  }

  /** s; of the rendition if it was seen, else the longest that there can be */
  targetDuration(path: MediaPlaylistPath): number {
    return this.#lastKnown.get(buildMediaPath(path))?.targetDuration ?? LONGEST_TARGET_DURATION;
  }

  /** Never rejects for the sake of the registry or of a media server. */
  async load(path: MediaPlaylistPath, query: PlaylistQuery): Promise<StoredObject> {
    const { lookup, monotonicMs, after } = this.#options;
    let record = await lookup.find(path.streamId).catch(() => 'unavailable' as const);
    if (record === 'unavailable') return this.#still(path) ?? unavailableObject(monotonicMs());
    const deadlineMs = monotonicMs() + this.#patienceMs(path, query);
    while (record !== undefined) {
      const before: StreamRecord = record;
      const asked: Asked = this.#isFarAhead(path, query, before)
        ? { kind: 'too-far' }
        : await this.#ask(path, query, before, deadlineMs);
      if (asked.kind === 'playlist') return asked.object;
      // The asker may have heard of a new owner elsewhere: the registry is asked anew, not its answer of just now.
      if (asked.kind === 'too-far') await sleep(after, REFRESH_MS);
      record = await lookup.refresh(path.streamId).catch(() => before);
      if (record === undefined) break;
      if (!sameOwner(before, record) && monotonicMs() < deadlineMs) continue;
      const settled = this.#settle(path, query, record, asked.kind, deadlineMs);
      if (settled !== undefined) return settled;
      await sleep(after, Math.min(RETRY_MS, Math.max(1, deadlineMs - monotonicMs())));
      record = await lookup.refresh(path.streamId).catch(() => before);
    }
    return this.#ended(path) ?? notFoundObject(monotonicMs());
  }

  #patienceMs(path: MediaPlaylistPath, query: PlaylistQuery): number {
    if (query.msn !== undefined) return 3000 * this.targetDuration(path);
    return this.#lastKnown.get(buildMediaPath(path)) === undefined ? COLD_PATIENCE_MS : PLAIN_TIMEOUT_MS;
  }

  /** What to answer now that the owner gave no playlist; undefined: wait, and ask again. */
  #settle(
    path: MediaPlaylistPath,
    query: PlaylistQuery,
    record: StreamRecord,
    outcome: 'not-found' | 'too-far' | 'failed',
    deadlineMs: number,
  ): StoredObject | undefined {
    const nowMs = this.#options.monotonicMs();
    if (outcome === 'too-far') return tooFarObject(nowMs);
    const isForeign = record.renditions.length > 0 && !record.renditions.includes(path.rendition);
    if (outcome === 'not-found' && isForeign) return notFoundObject(nowMs);
    if (record.state === 'ended') return this.#ended(path) ?? notFoundObject(nowMs);
    const still = query.msn === undefined || nowMs >= deadlineMs ? this.#still(path) : undefined;
    if (still !== undefined || nowMs < deadlineMs) return still;
    return outcome === 'not-found' ? notFoundObject(nowMs) : unavailableObject(nowMs);
  }

  /** True for a wait that the newest state, if it is but a moment old, shows to be too far ahead. */
  #isFarAhead(path: MediaPlaylistPath, query: PlaylistQuery, record: StreamRecord): boolean {
    const last = this.#lastKnown.get(buildMediaPath(path));
    if (query.msn === undefined || last === undefined || last.epoch !== record.epoch) return false;
    const isFresh = this.#options.monotonicMs() - last.fetchedAtMs < 1000;
    return isFresh && query.msn > last.position.msn + 4;
  }

  async #ask(path: MediaPlaylistPath, query: PlaylistQuery, record: StreamRecord, deadlineMs: number): Promise<Asked> {
    const { upstream, monotonicMs, lookup } = this.#options;
    const left = Math.max(1, deadlineMs - monotonicMs());
    const timeoutMs = query.msn === undefined ? Math.min(PLAIN_TIMEOUT_MS, left) : left + 1000;
    const target = `${buildMediaPath(path)}${playlistQueryKey(query)}`;
    const outcome = await upstream.read(record.address, target, { timeoutMs, maxBytes: MAX_PLAYLIST_BYTES });
    // A plain reload cannot be ahead of anything: such an answer is the server's fault.
    if (outcome.kind === 'too-far' && query.msn === undefined) return { kind: 'failed' };
    if (outcome.kind !== 'found') return outcome;
    const facts = readPlaylistFacts(outcome.reply.headers);
    if (facts === undefined) return { kind: 'failed' };
    const last = this.#lastKnown.get(buildMediaPath(path));
    // An owner of the past that has not heard of its successor: what it says is over (DESIGN: nothing goes back).
    if (last !== undefined && facts.epoch < last.epoch) return { kind: 'failed' };
    lookup.sawEpoch(path.streamId, facts.epoch);
    const now: LastKnown = {
      ...facts,
      body: outcome.reply.body as Bytes,
      etag: outcome.reply.headers.etag,
      fetchedAtMs: monotonicMs(),
    };
    if (!query.skip && (last === undefined || isNewer(now, last))) this.#lastKnown.set(buildMediaPath(path), now);
    return { kind: 'playlist', object: playlistObject(now, query) };
  }

  /** The last known playlist as it stands. */
  #still(path: MediaPlaylistPath): StoredObject | undefined {
    const last = this.#lastKnown.get(buildMediaPath(path));
    if (last === undefined) return undefined;
    this.#options.counters.lastKnownPlaylists += 1;
    return playlistObject(last, { skip: false }, this.#options.monotonicMs());
  }

  /** The last known playlist, closed: the session is over. */
  #ended(path: MediaPlaylistPath): StoredObject | undefined {
    const key = buildMediaPath(path);
    const last = this.#lastKnown.get(key);
    if (last === undefined) return undefined;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - last.fetchedAtMs > ENDED_KEPT_MS) {
      this.#lastKnown.delete(key);
      return undefined;
    }
    this.#options.counters.lastKnownPlaylists += 1;
    const body = bytesOf(endPlaylist(new TextDecoder().decode(last.body)));
    const etag = last.etag === undefined ? undefined : `${last.etag.slice(0, -1)}-end"`;
    return playlistObject({ ...last, state: 'ended', body, etag }, { skip: false }, nowMs);
  }
}

function sameOwner(a: StreamRecord, b: StreamRecord): boolean {
  return a.epoch === b.epoch && a.address.private === b.address.private && a.address.public === b.address.public;
}

function isNewer(a: PlaylistFacts, b: PlaylistFacts): boolean {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch;
  if (a.position.msn !== b.position.msn) return a.position.msn > b.position.msn;
  return a.position.parts >= b.position.parts;
}

/** @param servedAtMs for a playlist from before: it is as good as new for a moment, and says so by its Age of 0 */
function playlistObject(what: LastKnown, query: PlaylistQuery, servedAtMs?: number): StoredObject {
  const isAnswer = query.msn !== undefined && answersQuery(query, what.position);
  const kind =
    what.state === 'ended' ? 'media-playlist-ended' : isAnswer ? 'media-playlist-blocking' : 'media-playlist';
  return new StoredObject({
    status: 200,
    body: what.body,
    contentType: CONTENT_TYPE.playlist,
    cacheControl: CACHE_POLICY[kind].cacheControl(what.targetDuration),
    etag: what.etag,
    fetchedAtMs: servedAtMs ?? what.fetchedAtMs,
    freshForMs: kind === 'media-playlist-blocking' ? 6000 * what.targetDuration : PLAIN_FRESH_MS,
    compressible: true,
  });
}

/** RFC 8216bis section 6.2.5.2. */
function tooFarObject(nowMs: number): StoredObject {
  const detail = '_HLS_msn lies further ahead than the next segment but one';
  return problemObject({ status: 400, title: 'Bad Request', detail }, nowMs, RETRY_MS);
}
