/**
 * What was read from the store, for as long as it is fresh: one read for all who ask at the same time, and the last
 * known value while the store does not answer. An error is never kept.
 */
import { BoundedMap } from '../bounded_map.ts';
import { SingleFlight } from '../single_flight.ts';

export interface RememberedOptions<Value> {
  /** Values kept. */
  readonly limit: number;
  readonly monotonicMs: () => number;
  /** False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork: boolean;
  readonly freshMs: (value: Value) => number;
  /** @param known what was read last, fresh or not */
  readonly read: (key: string, known: Value | undefined) => Promise<Value>;
  /** The store failed and the last known value stands in. */
  readonly onStale: (error: unknown) => void;
}

interface Kept<Value> {
  readonly value: Value;
  readonly readAtMs: number;
}

export class Remembered<Value> {
  readonly #options: RememberedOptions<Value>;
  readonly #kept: BoundedMap<string, Kept<Value>>;
  readonly #flights = new SingleFlight<Value>();

  constructor(options: RememberedOptions<Value>) {
    this.#options = options;
    this.#kept = new BoundedMap(options.limit);
  }

  /** @throws what `read` throws when nothing is known from before */
  async get(key: string): Promise<Value> {
    const { monotonicMs, freshMs, shareWork } = this.#options;
    const kept = this.#kept.get(key);
    if (kept !== undefined && monotonicMs() - kept.readAtMs < freshMs(kept.value)) return kept.value;
    return shareWork ? this.#flights.run(key, async () => this.#read(key)) : this.#read(key);
  }

  async #read(key: string): Promise<Value> {
    const { monotonicMs, read, onStale } = this.#options;
    const known = this.#kept.get(key);
    try {
      const value = await read(key, known?.value);
      this.#kept.set(key, { value, readAtMs: monotonicMs() });
      return value;
    } catch (error) {
      if (known === undefined) throw error;
      onStale(error);
      return known.value;
    }
  }
}
