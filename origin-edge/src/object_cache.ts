/**
 * What the edge has in memory: stored objects by key, bounded by bytes, the least recently used going first.
 */
import type { StoredObject } from './stored_object.ts';

export class ObjectCache {
  readonly #maxBytes: number;
  readonly #objects = new Map<string, StoredObject>();
  #bytes = 0;

  /** @param maxBytes bodies and an allowance of 1 KiB for each object */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The object while it is fresh. */
  get(key: string, nowMs: number): StoredObject | undefined {
    const object = this.#objects.get(key);
    if (object === undefined) return undefined;
    this.#objects.delete(key);
    if (nowMs >= object.freshUntilMs) {
      this.#bytes -= object.cost;
      return undefined;
    }
    this.#objects.set(key, object);
    return object;
  }

  /** Keeps the object unless it alone is larger than a quarter of the cache. */
  set(key: string, object: StoredObject): void {
    const before = this.#objects.get(key);
    if (before !== undefined) {
      this.#objects.delete(key);
      this.#bytes -= before.cost;
    }
    if (object.cost > this.#maxBytes / 4) return;
    this.#objects.set(key, object);
    this.#bytes += object.cost;
    for (const [oldKey, old] of this.#objects) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#objects.delete(oldKey);
      this.#bytes -= old.cost;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#objects.size;
  }
}
