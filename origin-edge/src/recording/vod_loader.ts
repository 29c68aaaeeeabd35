/**
 * The playlists of a recording: composed while the show goes on, the static ones once it is final, and clips of either.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../../contracts/cache_policy.ts';
import type { CacheableKind } from '../../../contracts/cache_policy.ts';
import { buildMediaPath } from '../../../contracts/media_paths.ts';
import type { MediaPath } from '../../../contracts/media_paths.ts';
import type { RenditionName } from '../../../contracts/ids.ts';
import { readPlaylistLines } from '../../../contracts/playlist_lines.ts';
import type { ReadPlaylist } from '../../../contracts/playlist_lines.ts';
import { keyOfPath } from '../../../contracts/recording.ts';
import { ClipError, clipQueryText, clipRange } from '../../../contracts/recording_clip.ts';
import type { ClipQuery } from '../../../contracts/recording_clip.ts';
import {
  playlistLines,
  renderRecordedPlaylist,
  renderRecordingMedia,
  renderRecordingMultivariant,
} from '../../../contracts/recording_playlist.ts';
import type { PlaylistLine } from '../../../contracts/recording_playlist.ts';
import { BoundedMap } from '../bounded_map.ts';
import { StoredObject, bytesOf, notFoundObject, problemObject } from '../stored_object.ts';
import type { Bytes } from '../stored_object.ts';
import type { RecordingSource } from './recording_source.ts';
import type { RecordingState, RecordingStates } from './recording_states.ts';
import { textTag } from './text_tag.ts';

export type VodPath = MediaPath & { readonly kind: 'vod-multivariant' | 'vod-media' };

export interface VodLoaderOptions {
  readonly source: RecordingSource;
  readonly states: RecordingStates;
  readonly monotonicMs: () => number;
}

/** A day's playlist of 1 s segments is 8 MB. */
const PLAYLIST_LIMITS = { timeoutMs: 8000, maxBytes: 2 ** 24 };
/** Static playlists that clips were cut from, read and kept. */
const MAX_READ_PLAYLISTS = 16;
/** How long this edge answers with what it composed or read, ms. */
const FRESH_MS: Readonly<Partial<Record<CacheableKind, number>>> = {
  'recording-live': 1000,
  'recording-final': 30_000,
};

export class VodLoader {
  readonly #options: VodLoaderOptions;
  readonly #read = new BoundedMap<string, { readonly final: string; readonly playlist: ReadPlaylist }>(
    MAX_READ_PLAYLISTS,
  );

  constructor(options: VodLoaderOptions) {
    this.#options = options;
  }

  /** @throws when the store cannot say and nothing is known */
  async load(path: VodPath, clip: ClipQuery | undefined): Promise<StoredObject> {
    const { states, monotonicMs } = this.#options;
    const state = await states.get(path.streamId, path.sessionId);
    if (state === undefined) return notFoundObject(monotonicMs());
    if (path.kind === 'vod-media' && !state.timeline.renditions.includes(path.rendition)) {
      return notFoundObject(monotonicMs());
    }
    try {
      return clip === undefined ? await this.#whole(path, state) : await this.#clip(path, state, clip);
    } catch (error) {
      if (!(error instanceof ClipError)) throw error;
      const problem = { status: 400, title: 'Bad Request', detail: error.message };
      return problemObject(problem, monotonicMs(), 1000).under(state.session.playback);
    }
  }

  async #whole(path: VodPath, state: RecordingState): Promise<StoredObject> {
    if (state.final !== undefined) {
      const found = await this.#options.source.get(keyOfPath(path), PLAYLIST_LIMITS);
      if (found === undefined) return notFoundObject(this.#options.monotonicMs());
      return this.#object(found.body, found.etag, 'recording-final', state, path.kind === 'vod-media');
    }
    // Nothing of it is durable yet: a playlist without segments is one that players call broken.
    if (state.timeline.rows.length === 0) return notFoundObject(this.#options.monotonicMs());
    const text =
      path.kind === 'vod-multivariant'
        ? renderRecordingMultivariant(state.session)
        : renderRecordingMedia(state.timeline, path.rendition, { final: false });
    return this.#text(text, 'recording-live', state, path.kind === 'vod-media');
  }

  async #clip(path: VodPath, state: RecordingState, clip: ClipQuery): Promise<StoredObject> {
    const [reference] = state.timeline.renditions;
    if (reference === undefined) return notFoundObject(this.#options.monotonicMs());
    const rendition = path.kind === 'vod-media' ? path.rendition : reference;
    // One rendition decides for all where the clip is cut: durations may differ by fractions of a frame.
    const [deciding, own] = await Promise.all([
      this.#lines(state, reference),
      rendition === reference ? undefined : this.#lines(state, rendition),
    ]);
    const range = clipRange(deciding, clip);
    const open = state.final === undefined && clip.end === undefined;
    const kind = open ? 'recording-live' : 'recording-final';
    if (path.kind === 'vod-multivariant') {
      return this.#text(renderRecordingMultivariant(state.session, clipQueryText(clip)), kind, state, false);
    }
    const text = renderRecordedPlaylist({
      streamId: path.streamId,
      rendition,
      targetDuration: state.timeline.targetDuration,
      type: 'vod',
      ended: true,
      lines: (own ?? deciding).slice(range.from, range.to),
      discontinuitySequence: 0,
      skip: false,
    });
    return this.#text(text, kind, state, true);
  }

  async #lines(state: RecordingState, rendition: RenditionName): Promise<readonly PlaylistLine[]> {
    return state.final === undefined ? playlistLines(state.timeline, rendition) : this.finalLines(state, rendition);
  }

  /** What the static playlist of a final recording lists. @throws when the store cannot say */
  async finalLines(state: RecordingState, rendition: RenditionName): Promise<readonly PlaylistLine[]> {
    const { streamId, sessionId } = state.session;
    const media = { kind: 'vod-media', streamId, sessionId, rendition } as const;
    const known = this.#read.get(buildMediaPath(media));
    if (known !== undefined && known.final === state.final) return known.playlist.lines;
    const found = await this.#options.source.get(keyOfPath(media), PLAYLIST_LIMITS);
    const text = found === undefined ? '' : new TextDecoder().decode(found.body);
    const playlist = readPlaylistLines(text, streamId, rendition);
    if (playlist === undefined) throw new Error(`${keyOfPath(media)}: wanted a playlist of this recording`);
    if (state.final !== undefined) this.#read.set(buildMediaPath(media), { final: state.final, playlist });
    return playlist.lines;
  }

  #text(text: string, kind: CacheableKind, state: RecordingState, hasVlcForm: boolean): StoredObject {
    return this.#object(bytesOf(text), textTag(text), kind, state, hasVlcForm);
  }

  #object(
    body: Bytes,
    etag: string,
    kind: CacheableKind,
    { session }: RecordingState,
    hasVlcForm: boolean,
  ): StoredObject {
    return new StoredObject({
      status: 200,
      body,
      contentType: CONTENT_TYPE.playlist,
      cacheControl: CACHE_POLICY[kind].cacheControl(session.shape.targetDuration),
      etag,
      fetchedAtMs: this.#options.monotonicMs(),
      freshForMs: FRESH_MS[kind] ?? 1000,
      compressible: true,
      policy: session.playback,
      hasVlcForm,
    });
  }
}
