/**
 * A recording store in memory whose puts succeed, fail or hang as a test says.
 */
import { StoreError } from '../../../contracts/recording_store.ts';
import type { PutOptions, RecordingStore, StoredObjectInfo } from '../../../contracts/recording_store.ts';
import type { StoreKey } from '../../../contracts/recording.ts';

interface Held {
  readonly body: Buffer;
  readonly options: PutOptions;
  readonly serial: number;
}

export class ScriptedStore implements RecordingStore {
  readonly objects = new Map<StoreKey, Held>();
  /** Keys in the order in which puts began, failed ones too. */
  readonly attempts: StoreKey[] = [];
  /** Bytes that were stored in all, by what the key ends with. */
  readonly bytes = { media: 0, indexes: 0 };
  /** What becomes of the next puts. */
  script: (key: StoreKey) => 'ok' | 'fail' | 'hang' = () => 'ok';
  #serial = 0;
  readonly #hanging: (() => void)[] = [];

  get hanging(): number {
    return this.#hanging.length;
  }

  /** Lets the puts that hang succeed. */
  release(): void {
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  json(key: StoreKey): unknown {
    const object = this.objects.get(key);
    return object === undefined ? undefined : JSON.parse(object.body.toString());
  }

  keys(prefix = ''): StoreKey[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  async put(key: StoreKey, body: readonly Uint8Array[], options: PutOptions) {
    this.attempts.push(key);
    const fate = this.script(key);
    if (fate === 'fail') throw new StoreError('again', `${key}: SlowDown`);
    if (fate === 'hang') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    const stands = this.objects.has(key);
    if (options.onlyIfAbsent === true && stands) return { outcome: 'exists' as const };
    this.#serial += 1;
    const size = body.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    this.bytes[key.endsWith('.json') ? 'indexes' : 'media'] += size;
    this.objects.set(key, { body: Buffer.concat(body), options, serial: this.#serial });
    return { outcome: 'stored' as const };
  }

  async get(key: StoreKey) {
    const info = await this.head(key);
    const body = this.objects.get(key)?.body;
    return info === undefined || body === undefined ? undefined : { ...info, body };
  }

  async head(key: StoreKey): Promise<StoredObjectInfo | undefined> {
    const object = this.objects.get(key);
    return object && { key, size: object.body.length, etag: `"${object.serial}"`, modifiedAtMs: object.serial };
  }

  async *list(prefix: StoreKey): AsyncIterable<StoredObjectInfo> {
    for (const key of this.keys(prefix)) {
      const info = await this.head(key);
      if (info !== undefined) yield info;
    }
  }

  async delete(keys: readonly StoreKey[]): Promise<void> {
    for (const key of keys) this.objects.delete(key);
  }

  check(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  close(): void {
    this.release();
  }
}
