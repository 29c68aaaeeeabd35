/**
 * Where recordings go, as their writers and readers see it: objects by key in a bucket under a prefix, or files in a
 * folder. Both pass one contract suite.
 */
import type { StoreKey } from './recording.ts';

export interface PutOptions {
  readonly contentType: string;
  readonly cacheControl: string;
  /** Only if there is no object of that key yet. */
  readonly onlyIfAbsent?: boolean;
  /** Only if the object still has this ETag. */
  readonly ifMatch?: string;
  /** Days that the bucket's lifecycle keeps it, as a tag (`headwater-keep-days`); absent: until deleted. */
  readonly keepDays?: number;
  /** SHA-256 that the body must have, in hexadecimal; another body is refused. */
  readonly sha256?: string;
}

export interface StoredObjectInfo {
  readonly key: StoreKey;
  readonly size: number;
  /** Opaque; changes with the content. */
  readonly etag: string;
  /** ms since 1970. */
  readonly modifiedAtMs: number;
}

/**
 * Every method rejects with a StoreError when the store does not do it in its time. Keys are checked: nothing outside the prefix is
 * ever touched.
 */
export interface RecordingStore {
  /** @returns `exists` when `onlyIfAbsent` or `ifMatch` did not hold */
  put(key: StoreKey, body: readonly Uint8Array[], options: PutOptions): Promise<{ outcome: 'stored' | 'exists' }>;
  /** Undefined: there is no such object. */
  get(key: StoreKey): Promise<(StoredObjectInfo & { readonly body: Uint8Array }) | undefined>;
  head(key: StoreKey): Promise<StoredObjectInfo | undefined>;
  /** All objects whose key begins with `prefix`, in the order of their keys. */
  list(prefix: StoreKey): AsyncIterable<StoredObjectInfo>;
  /** Missing ones are no error. */
  delete(keys: readonly StoreKey[]): Promise<void>;
  /** One line: what is wrong with the store (no bucket, no right to write, wrong credentials). Undefined: it can be written. */
  check(): Promise<string | undefined>;
  close(): void;
}

export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** `again`: throttled, slow, unreachable; the same call may do later. `refused`: it will not. */
  readonly code: 'again' | 'refused';

  constructor(code: StoreError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
