/**
 * Media of a recording at its public path, under the policy of the recording that it belongs to: where no media server
 * holds it any more.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../../contracts/cache_policy.ts';
import type { MediaPath } from '../../../contracts/media_paths.ts';
import { keyOfPath, recordingKey } from '../../../contracts/recording.ts';
import type { RecordingEpoch } from '../../../contracts/recording.ts';
import type { StreamId, SessionId } from '../../../contracts/ids.ts';
import { StoredObject, notFoundObject } from '../stored_object.ts';
import type { RecordingCatalog } from './recording_catalog.ts';
import type { RecordingSource } from './recording_source.ts';

export type RecordedMediaPath = MediaPath & { readonly kind: 'init' | 'segment' };

export interface RecordedMediaOptions {
  readonly source: RecordingSource;
  readonly catalog: RecordingCatalog;
  readonly monotonicMs: () => number;
}

const MEDIA_LIMITS = { timeoutMs: 10_000, maxBytes: 2 ** 26 };
const POSTER_LIMITS = { timeoutMs: 4000, maxBytes: 2 ** 22 };
const POSTER_FRESH_MS = 5000;
const FOREVER_MS = Number.MAX_SAFE_INTEGER;

export class RecordedMedia {
  readonly #options: RecordedMediaOptions;

  constructor(options: RecordedMediaOptions) {
    this.#options = options;
  }

  /** Without a readable policy there is nothing. @throws when the store cannot say */
  async media(path: RecordedMediaPath): Promise<StoredObject> {
    const { source, catalog, monotonicMs } = this.#options;
    const epoch = await catalog.epoch(path.streamId, path.epoch);
    const found = epoch === undefined ? undefined : await source.get(keyOfPath(path), MEDIA_LIMITS);
    if (epoch === undefined || found === undefined) return notFoundObject(monotonicMs());
    return new StoredObject({
      status: 200,
      body: found.body,
      contentType: await this.#contentType(path, epoch, found.contentType),
      cacheControl: CACHE_POLICY.media.cacheControl(0),
      etag: found.etag,
      fetchedAtMs: monotonicMs(),
      freshForMs: FOREVER_MS,
      policy: epoch.playback,
    });
  }

  /** The picture of a recording. @throws when the store cannot say */
  async poster(streamId: StreamId, sessionId: SessionId): Promise<StoredObject> {
    const { source, catalog, monotonicMs } = this.#options;
    const policy = await catalog.policy(streamId, sessionId);
    const found =
      policy === undefined ? undefined : await source.get(recordingKey.poster(streamId, sessionId), POSTER_LIMITS);
    if (policy === undefined || found === undefined) return notFoundObject(monotonicMs());
    return new StoredObject({
      status: 200,
      body: found.body,
      contentType: CONTENT_TYPE.poster,
      cacheControl: CACHE_POLICY.poster.cacheControl(0),
      etag: found.etag,
      fetchedAtMs: monotonicMs(),
      freshForMs: POSTER_FRESH_MS,
      policy,
    });
  }

  /** What the store kept, else what the session's shape says of the rendition. */
  async #contentType(path: RecordedMediaPath, epoch: RecordingEpoch, kept: string | undefined): Promise<string> {
    if (kept === CONTENT_TYPE.audio || kept === CONTENT_TYPE.video) return kept;
    const session = await this.#options.catalog.session(path.streamId, epoch.sessionId).catch(() => undefined);
    const shape = session?.shape.renditions.find(({ name }) => name === path.rendition);
    return shape !== undefined && shape.resolution === undefined ? CONTENT_TYPE.audio : CONTENT_TYPE.video;
  }
}
