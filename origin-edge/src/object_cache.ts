/**
 * What the edge has in memory: stored objects by key, bounded by bytes. What was asked for since it was last looked at
 * stays a second time round (the clock algorithm), so that a hit costs one look-up and no reordering.
 */
import type { StoredObject } from './stored_object.ts';

interface Slot {
  readonly object: StoredObject;
  readonly cost: number;
  wasUsed: boolean;
}

export class ObjectCache {
  readonly #maxBytes: number;
  readonly #slots = new Map<string, Slot>();
  #bytes = 0;

  /** @param maxBytes bodies and an allowance of 1 KiB for each object */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The object while it is fresh. */
  get(key: string, nowMs: number): StoredObject | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    if (nowMs >= slot.object.freshUntilMs) {
      this.#drop(key, slot);
      return undefined;
    }
    slot.wasUsed = true;
    return slot.object;
  }

  /** Keeps the object unless it alone is larger than a quarter of the cache. */
  set(key: string, object: StoredObject): void {
    const before = this.#slots.get(key);
    if (before !== undefined) this.#drop(key, before);
    const { cost } = object;
    if (cost > this.#maxBytes / 4) return;
    this.#slots.set(key, { object, cost, wasUsed: false });
    this.#bytes += cost;
    if (this.#bytes > this.#maxBytes) this.#makeRoom();
  }

  /** Goes round from the oldest on; each slot is passed over once at most, so that it ends. */
  #makeRoom(): void {
    for (const [key, slot] of this.#slots) {
      if (this.#bytes <= this.#maxBytes) return;
      if (slot.wasUsed) {
        slot.wasUsed = false;
        this.#slots.delete(key);
        this.#slots.set(key, slot);
      } else {
        this.#drop(key, slot);
      }
    }
  }

  #drop(key: string, slot: Slot): void {
    this.#slots.delete(key);
    this.#bytes -= slot.cost;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#slots.size;
  }
}
