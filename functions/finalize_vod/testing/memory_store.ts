/**
 * A recording store in memory, for tests: it counts requests as S3 would bill them, and lets a test act in the midst of
 * one.
 */
import { createHash } from 'node:crypto';
import type { StoreKey } from '../../../contracts/recording.ts';
import type { PutOptions, RecordingStore, StoredObjectInfo } from '../../../contracts/recording_store.ts';

interface StoredObject {
  readonly body: Uint8Array;
  readonly etag: string;
  readonly modifiedAtMs: number;
  readonly options: PutOptions;
}

/** Objects of one reply to a listing. */
const PAGE = 1000;

export class MemoryStore implements RecordingStore {
  readonly objects = new Map<StoreKey, StoredObject>();
  readonly requests = { put: 0, get: 0, head: 0, list: 0, delete: 0 };
  /** Keys that were read. */
  readonly reads: StoreKey[] = [];
  nowMs = 1_700_000_000_000;
  /** Called before each request. */
  onRequest: ((kind: keyof MemoryStore['requests'], key: StoreKey) => void | Promise<void>) | undefined;

  async put(
    key: StoreKey,
    body: readonly Uint8Array[],
    options: PutOptions,
  ): Promise<{ outcome: 'stored' | 'exists' }> {
    this.requests.put += 1;
    await this.onRequest?.('put', key);
    const before = this.objects.get(key);
    if (options.onlyIfAbsent === true && before !== undefined) return { outcome: 'exists' };
    if (options.ifMatch !== undefined && before?.etag !== options.ifMatch) return { outcome: 'exists' };
    this.set(key, Buffer.concat(body), options);
    return { outcome: 'stored' };
  }

  /** Puts an object there without a request. */
  set(key: StoreKey, body: Uint8Array, options: PutOptions = { contentType: '', cacheControl: '' }): void {
    const etag = createHash('md5').update(body).digest('hex');
    this.objects.set(key, { body, etag, modifiedAtMs: this.nowMs, options });
  }

  async get(key: StoreKey): Promise<(StoredObjectInfo & { readonly body: Uint8Array }) | undefined> {
    this.requests.get += 1;
    this.reads.push(key);
    await this.onRequest?.('get', key);
    const object = this.objects.get(key);
    return object === undefined ? undefined : { ...infoOf(key, object), body: object.body };
  }

  async head(key: StoreKey): Promise<StoredObjectInfo | undefined> {
    this.requests.head += 1;
    await this.onRequest?.('head', key);
    const object = this.objects.get(key);
    return object === undefined ? undefined : infoOf(key, object);
  }

  async *list(prefix: StoreKey): AsyncIterable<StoredObjectInfo> {
    await this.onRequest?.('list', prefix);
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    this.requests.list += 1;
    for (const [index, key] of keys.entries()) {
      if (index > 0 && index % PAGE === 0) this.requests.list += 1;
      const object = this.objects.get(key);
      if (object !== undefined) yield infoOf(key, object);
    }
  }

  async delete(keys: readonly StoreKey[]): Promise<void> {
    this.requests.delete += Math.ceil(keys.length / PAGE);
    await this.onRequest?.('delete', keys[0] ?? '');
    for (const key of keys) this.objects.delete(key);
  }

  check(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  close(): void {
    // Nothing is held open.
  }

  text(key: StoreKey): string | undefined {
    const object = this.objects.get(key);
    return object === undefined ? undefined : Buffer.from(object.body).toString('utf8');
  }
}

function infoOf(key: StoreKey, { body, etag, modifiedAtMs }: StoredObject): StoredObjectInfo {
  return { key, size: body.byteLength, etag, modifiedAtMs };
}
