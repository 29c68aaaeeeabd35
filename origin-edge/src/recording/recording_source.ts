/**
 * Where recordings are read from, as the edge sees it: objects by key, and lists of them. An entry brings one for its
 * platform: S3 by signed requests, or a folder.
 */
import type { StoreKey } from '../../../contracts/recording.ts';
import type { Bytes } from '../stored_object.ts';

export interface ReadLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface SourceObject {
  readonly body: Bytes;
  /** With its quotes; changes with the content. */
  readonly etag: string;
  /** Undefined where the store does not keep it. */
  readonly contentType: string | undefined;
}

export interface ListedObject {
  readonly key: StoreKey;
  readonly etag: string;
  /** ms since 1970 by the store's clock. */
  readonly modifiedAtMs: number;
}

export interface Listing {
  /** In the order of their keys. */
  readonly objects: readonly ListedObject[];
  /** What stands between `prefix` and the next slash, slash included; only when `folders` was asked for. */
  readonly folders: readonly string[];
  /** ms since 1970 by the clock that `modifiedAtMs` is of. */
  readonly nowMs: number;
}

/** Both reject when the store does not answer in time, or with anything but an object, a list or "no such object". */
export interface RecordingSource {
  /** Undefined: there is no such object. */
  get(key: StoreKey, limits: ReadLimits): Promise<SourceObject | undefined>;
  /**
   * @param options `folders`: only the names directly below `prefix`, as a delimiter of `/` gives them; `limit`: at most
   * about so many are read, the last ones in the order of keys left out
   */
  list(
    prefix: StoreKey,
    options: { readonly timeoutMs: number; readonly limit: number; readonly folders?: boolean },
  ): Promise<Listing>;
}
