/**
 * Which connections there are and who may come in: in all, per address, and of those that are not live yet. When the
 * pending ones fill up, the oldest that has not even asked to publish makes room, so that silent connections cannot
 * keep an encoder out.
 */
import type { IngestLimits } from './ingest_options.ts';

export interface TableEntry {
  /** Undefined until PROXY protocol has told it. */
  readonly address: string | undefined;
  /** Not live. */
  readonly pending: boolean;
  /** Has not asked to publish yet: may be displaced. */
  readonly displaceable: boolean;
  /** Closes it at once; the table has forgotten it already. */
  displace(): void;
}

export type Admission = 'admitted' | 'connections' | 'address';

type TableLimits = Pick<IngestLimits, 'connections' | 'pendingConnections' | 'connectionsPerAddress' | 'limitLoopback'>;

export class ConnectionTable<Entry extends TableEntry> {
  readonly #limits: TableLimits;
  /** In the order of their coming. */
  readonly #entries = new Set<Entry>();

  constructor(limits: TableLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  [Symbol.iterator](): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Takes a newcomer in. */
  admit(entry: Entry): Admission {
    const pending = this.#count((other) => other.pending);
    const full = this.#entries.size >= this.#limits.connections || pending >= this.#limits.pendingConnections;
    if (full && !this.#displaceOldest(() => true)) return 'connections';
    if (!this.#roomAt(entry)) return 'address';
    this.#entries.add(entry);
    return 'admitted';
  }

  /** Checks the limit per address again, for an entry that has only now learned its own. */
  admitAddress(entry: Entry): boolean {
    return this.#roomAt(entry);
  }

  delete(entry: Entry): void {
    this.#entries.delete(entry);
  }

  #roomAt(entry: Entry): boolean {
    const { address } = entry;
    if (address === undefined || (isLoopback(address) && !this.#limits.limitLoopback)) return true;
    const same = (other: Entry): boolean => other !== entry && other.address === address;
    if (this.#count(same) < this.#limits.connectionsPerAddress) return true;
    return this.#displaceOldest(same);
  }

  #count(matches: (entry: Entry) => boolean): number {
    let count = 0;
    for (const entry of this.#entries) if (matches(entry)) count += 1;
    return count;
  }

  #displaceOldest(matches: (entry: Entry) => boolean): boolean {
    for (const entry of this.#entries) {
      if (!entry.displaceable || !matches(entry)) continue;
      this.#entries.delete(entry);
      entry.displace();
      return true;
    }
    return false;
  }
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
