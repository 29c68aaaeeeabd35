/**
 * The rewind playlists of a live stream: the session from its start, older segments from the recording, the newest from
 * the live playlist, all at the URLs and numbers that they have live.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../../contracts/cache_policy.ts';
import { buildMediaPath } from '../../../contracts/media_paths.ts';
import type { MediaPath } from '../../../contracts/media_paths.ts';
import { readPlaylistLines } from '../../../contracts/playlist_lines.ts';
import type { ReadPlaylist } from '../../../contracts/playlist_lines.ts';
import {
  playlistLines,
  renderRecordedPlaylist,
  renderRewindMultivariant,
} from '../../../contracts/recording_playlist.ts';
import type { PlaylistLine } from '../../../contracts/recording_playlist.ts';
import type { StreamRecord } from '../../../contracts/registry.ts';
import { BoundedMap } from '../bounded_map.ts';
import { StoredObject, bytesOf, notFoundObject, unavailableObject } from '../stored_object.ts';
import type { StreamLookup } from '../stream_lookup.ts';
import { epochChanges, joinLines, windowStart } from './joined_lines.ts';
import type { RecordingObjects } from './recording_objects.ts';
import type { RecordingState } from './recording_states.ts';
import { textTag } from './text_tag.ts';

export type RewindPath = MediaPath & { readonly kind: 'rewind-multivariant' | 'rewind-media' };
type RewindMediaPath = RewindPath & { readonly kind: 'rewind-media' };

export interface RewindLoaderOptions {
  readonly lookup: Pick<StreamLookup, 'find'>;
  /** Undefined: there is no store; the live window is all there is. */
  readonly recordings: RecordingObjects | undefined;
  /** HW_REWIND_WINDOW, s. */
  readonly windowSeconds: number;
  readonly monotonicMs: () => number;
}

/** Gives the live playlist that a path names, from memory or by one load. */
export type LoadLive = (path: MediaPath & { readonly kind: 'multivariant' | 'media' }) => Promise<StoredObject>;

interface Remembered {
  readonly sessionId: string;
  /** The end of the last reply, so that a recorder that lags leaves no hole. */
  readonly lines: readonly PlaylistLine[];
}

const FRESH_MS = 500;
const MAX_REMEMBERED = 512;
/** As long as a recorder may lag behind the live window and come back. */
const REMEMBERED_SECONDS = 600;

export class RewindLoader {
  readonly #options: RewindLoaderOptions;
  readonly #remembered = new BoundedMap<string, Remembered>(MAX_REMEMBERED);

  constructor(options: RewindLoaderOptions) {
    this.#options = options;
  }

  /** @param skip a delta update will do */
  async load(path: RewindPath, skip: boolean, loadLive: LoadLive): Promise<StoredObject> {
    const { lookup, monotonicMs, recordings } = this.#options;
    const record = await lookup.find(path.streamId).catch(() => 'unavailable' as const);
    if (record === undefined) return notFoundObject(monotonicMs());
    if (record === 'unavailable') return unavailableObject(monotonicMs());
    const state = await recordings?.state(path.streamId, record.sessionId);
    return path.kind === 'rewind-multivariant'
      ? this.#multivariant(path, state, loadLive)
      : this.#media(path, skip, record, state, loadLive);
  }

  async #multivariant(path: RewindPath, state: RecordingState | undefined, loadLive: LoadLive): Promise<StoredObject> {
    const live = await loadLive({ kind: 'multivariant', streamId: path.streamId });
    if (state !== undefined) {
      // One that is not recorded has the live window alone: a player that went there could not rewind.
      const { shape, renditions } = state.session;
      return this.#object(renderRewindMultivariant(shape.renditions.filter(({ name }) => renditions.includes(name))));
    }
    if (live.status !== 200) return live;
    const text = new TextDecoder().decode(live.identity.body);
    return this.#object(text.replaceAll(/^([a-z0-9_-]+)\/index\.m3u8$/gm, 'rewind/$1.m3u8'));
  }

  async #media(
    path: RewindMediaPath,
    skip: boolean,
    record: StreamRecord,
    state: RecordingState | undefined,
    loadLive: LoadLive,
  ): Promise<StoredObject> {
    const { streamId, rendition } = path;
    const object = await loadLive({ kind: 'media', streamId, rendition });
    const live =
      object.status === 200
        ? readPlaylistLines(new TextDecoder().decode(object.identity.body), streamId, rendition)
        : undefined;
    const recorded = await this.#recordedLines(path, state);
    const targetDuration = live?.targetDuration ?? state?.timeline.targetDuration;
    if (targetDuration === undefined) return object;
    const key = buildMediaPath(path);
    const known = this.#remembered.get(key);
    // Without a recording they would be lines whose segments nobody has any more.
    const remembered = recorded.length > 0 && known?.sessionId === record.sessionId ? known.lines : [];
    const joined = joinLines(recorded, remembered, live?.lines ?? [], targetDuration);
    const from = windowStart(joined, this.#options.windowSeconds);
    const lines = joined.slice(from);
    if (lines.length === 0) return object.status === 200 ? notFoundObject(this.#options.monotonicMs()) : object;
    const kept = lines.slice(windowStart(lines, REMEMBERED_SECONDS));
    this.#remembered.set(key, { sessionId: record.sessionId, lines: kept });
    return this.#object(
      renderRecordedPlaylist({
        streamId,
        rendition,
        targetDuration,
        type: 'sliding',
        ended: live?.ended ?? record.state === 'ended',
        lines,
        discontinuitySequence: discontinuities(recorded, live, joined, from),
        skip,
      }),
    );
  }

  /** As much as the window can show, and where the session began, for counting. */
  async #recordedLines(path: RewindMediaPath, state: RecordingState | undefined): Promise<readonly PlaylistLine[]> {
    if (state === undefined || !state.timeline.renditions.includes(path.rendition)) return [];
    if (state.final !== undefined) return (await this.#options.recordings?.finalLines(state, path.rendition)) ?? [];
    return playlistLines(state.timeline, path.rendition);
  }

  #object(text: string): StoredObject {
    return new StoredObject({
      status: 200,
      body: bytesOf(text),
      contentType: CONTENT_TYPE.playlist,
      cacheControl: CACHE_POLICY.rewind.cacheControl(0),
      etag: textTag(text),
      fetchedAtMs: this.#options.monotonicMs(),
      freshForMs: FRESH_MS,
      compressible: true,
    });
  }
}

/**
 * EXT-X-DISCONTINUITY-SEQUENCE: counted from the session's start where the recording shows it, else from what the live
 * playlist says of its first segment.
 */
function discontinuities(
  recorded: readonly PlaylistLine[],
  live: ReadPlaylist | undefined,
  joined: readonly PlaylistLine[],
  from: number,
): number {
  const first = joined[0]?.msn;
  const counted = epochChanges(joined, from);
  if (recorded.length > 0 && (recorded[0]?.msn ?? 0) <= (first ?? 0)) {
    const before = recorded.findIndex(({ msn }) => msn === first);
    return counted + (before < 0 ? 0 : epochChanges(recorded, before));
  }
  if (live === undefined) return counted;
  const start = joined.findIndex(({ msn }) => msn === live.lines[0]?.msn);
  return Math.max(0, live.discontinuitySequence - (epochChanges(joined, start) - counted));
}
