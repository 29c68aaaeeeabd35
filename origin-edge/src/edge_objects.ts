/**
 * The objects that viewers ask for, from memory or through one load that all who ask share.
 */
import { buildMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { playlistQueryKey } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import { clipQueryText } from '../../contracts/recording_clip.ts';
import type { ClipQuery } from '../../contracts/recording_clip.ts';
import type { MediaLoader } from './media_loader.ts';
import type { ObjectCache } from './object_cache.ts';
import type { PlaylistLoader } from './playlist_loader.ts';
import type { RecordingObjects } from './recording/recording_objects.ts';
import type { RewindLoader } from './recording/rewind_loader.ts';
import { SingleFlight } from './single_flight.ts';
import { notFoundObject } from './stored_object.ts';
import type { StoredObject } from './stored_object.ts';
import type { StreamLookup } from './stream_lookup.ts';

export interface EdgeObjectsOptions {
  readonly cache: ObjectCache;
  readonly lookup: Pick<StreamLookup, 'find' | 'policyBefore'>;
  readonly playlists: PlaylistLoader;
  readonly media: MediaLoader;
  /** Undefined: this edge has not been given a store. */
  readonly recordings: RecordingObjects | undefined;
  readonly rewind: RewindLoader;
  readonly monotonicMs: () => number;
  /** False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork: boolean;
}

/** What of a request's query has a meaning for the object that it names. */
export interface ObjectQuery extends PlaylistQuery {
  /** Of a recording's playlist: only this stretch. */
  readonly clip?: ClipQuery | undefined;
  /** Of a segment: after its initialization segment, or that alone in place of a gap. */
  readonly form?: 'init' | 'gap' | undefined;
}

/** The key of an object, in the cache and upstream: its path and the directives that have a meaning. */
export function objectKey(path: MediaPath, pathname: string, query: ObjectQuery): string {
  if (path.kind === 'media') return `${pathname}${playlistQueryKey(query)}`;
  if (path.kind === 'rewind-media' && query.skip) return `${pathname}?_HLS_skip=YES`;
  if (query.form !== undefined) return `${pathname}?${query.form}=1`;
  if (query.clip !== undefined) return `${pathname}${clipQueryText(query.clip)}`;
  return pathname;
}

export class EdgeObjects {
  readonly #options: EdgeObjectsOptions;
  readonly #flights = new SingleFlight<StoredObject>();

  constructor(options: EdgeObjectsOptions) {
    this.#options = options;
  }

  /** The object if memory has it. */
  peek(key: string): StoredObject | undefined {
    return this.#options.cache.get(key, this.#options.monotonicMs());
  }

  /** Loads what `peek` did not have; a problem is an object too. */
  async load(path: MediaPath, key: string, query: ObjectQuery): Promise<StoredObject> {
    if (!this.#options.shareWork) return this.#fetch(path, key, query);
    return this.#flights.run(key, async () => this.#fetch(path, key, query));
  }

  async #fetch(path: MediaPath, key: string, query: ObjectQuery): Promise<StoredObject> {
    const object = await this.#dispatch(path, query);
    this.#options.cache.set(key, object);
    return object;
  }

  /** An object without directives, from memory or by one load. */
  async #current(path: MediaPath): Promise<StoredObject> {
    const key = buildMediaPath(path);
    return this.peek(key) ?? this.load(path, key, { skip: false });
  }

  /** What recordings list for players that know neither a second EXT-X-MAP nor EXT-X-GAP. */
  async #formOf(path: MediaPath & { readonly kind: 'segment' }, form: 'init' | 'gap'): Promise<StoredObject> {
    const { streamId, epoch, rendition } = path;
    const init = await this.#current({ kind: 'init', streamId, epoch, rendition });
    if (init.status !== 200 || form === 'gap') return init.status === 200 ? init.brief() : init;
    const segment = await this.#current(path);
    return segment.status === 200 ? segment.after(init) : segment;
  }

  async #dispatch(path: MediaPath, query: ObjectQuery): Promise<StoredObject> {
    const { media, playlists, monotonicMs, recordings, rewind, lookup } = this.#options;
    switch (path.kind) {
      case 'media': {
        const live = async () => playlists.load(path, query);
        if (recordings === undefined) return live();
        const record = await lookup.find(path.streamId).catch(() => undefined);
        return recordings.playlist(path, record, live, query.msn !== undefined);
      }
      case 'init':
      case 'segment':
      case 'part': {
        if (path.kind === 'segment' && query.form !== undefined) return this.#formOf(path, query.form);
        const record = await lookup.find(path.streamId).catch(() => undefined);
        const live = async () => {
          const object = await media.media(path, playlists.targetDuration({ ...path, kind: 'media' }));
          if (object.status !== 200 || record === undefined) return object;
          // What this edge keeps of a signed session stays signed, whatever the stream's next session is.
          if (path.epoch >= record.startedAtMs) return object.under(record.playback);
          const own =
            lookup.policyBefore(path.streamId, path.epoch) ??
            (await recordings?.policy(path).catch(() => 'signed' as const));
          return object.under(own ?? record.playback);
        };
        return recordings === undefined || path.kind === 'part' ? live() : recordings.media(path, record, live);
      }
      case 'multivariant': {
        const live = async () => media.file(path);
        if (recordings === undefined) return live();
        const record = await lookup.find(path.streamId).catch(() => undefined);
        return recordings.playlist(path, record, live, false);
      }
      case 'poster':
      case 'status': {
        const object = await media.file(path);
        return recordings?.[path.kind](path.streamId, object) ?? object;
      }
      case 'vod-multivariant':
      case 'vod-media':
        return recordings?.vod(path, query.clip) ?? notFoundObject(monotonicMs());
      case 'rewind-multivariant':
      case 'rewind-media':
        return rewind.load(path, query.skip, async (live) => this.#current(live));
    }
  }
}
