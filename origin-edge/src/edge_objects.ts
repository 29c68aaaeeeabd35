/**
 * The objects that viewers ask for, from memory or through one load that all who ask share.
 */
import type { MediaPath } from '../../contracts/media_paths.ts';
import { playlistQueryKey } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import type { MediaLoader } from './media_loader.ts';
import type { ObjectCache } from './object_cache.ts';
import type { PlaylistLoader } from './playlist_loader.ts';
import { SingleFlight } from './single_flight.ts';
import { notFoundObject } from './stored_object.ts';
import type { StoredObject } from './stored_object.ts';

export interface EdgeObjectsOptions {
  readonly cache: ObjectCache;
  readonly playlists: PlaylistLoader;
  readonly media: MediaLoader;
  readonly monotonicMs: () => number;
  /** False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork: boolean;
}

/** The key of an object, in the cache and upstream: its path and the directives that have a meaning. */
export function objectKey(path: MediaPath, pathname: string, query: PlaylistQuery): string {
  return path.kind === 'media' ? `${pathname}${playlistQueryKey(query)}` : pathname;
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
  async load(path: MediaPath, key: string, query: PlaylistQuery): Promise<StoredObject> {
    if (!this.#options.shareWork) return this.#fetch(path, key, query);
    return this.#flights.run(key, async () => this.#fetch(path, key, query));
  }

  async #fetch(path: MediaPath, key: string, query: PlaylistQuery): Promise<StoredObject> {
    const object = await this.#dispatch(path, query);
    this.#options.cache.set(key, object);
    return object;
  }

  async #dispatch(path: MediaPath, query: PlaylistQuery): Promise<StoredObject> {
    const { media, playlists, monotonicMs } = this.#options;
    switch (path.kind) {
      case 'media':
        return playlists.load(path, query);
      case 'init':
      case 'segment':
      case 'part':
        return media.media(path, playlists.targetDuration({ ...path, kind: 'media' }));
      case 'multivariant':
      case 'poster':
      case 'status':
        return media.file(path);
      default:
        // Rewind and recordings come from storage, which this edge has not been given.
        return notFoundObject(monotonicMs());
    }
  }
}
