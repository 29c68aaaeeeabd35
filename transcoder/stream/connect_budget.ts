/**
 * Slows a publisher down that connects over and over: a few returns in a row are a bad network, twenty a minute are a
 * loop that costs everybody an encoder start each time.
 */
import type { StreamId } from '../../contracts/ids.ts';

/** Connects that may follow each other at once. */
const BURST = 6;
/** One more is allowed after each of these, ms. */
const REFILL_MS = 8_000;
/** A stream that did not connect for this long has all of its connects back. */
const FORGOTTEN_MS = BURST * REFILL_MS;
/** Looked through for the forgotten above this many streams. */
const SWEEP_ABOVE = 1000;
/** Nobody is made to wait longer than this for the next one, ms. */
const LONGEST_WAIT_MS = 15_000;

interface Account {
  readonly left: number;
  readonly countedAtMs: number;
}

export class ConnectBudget {
  readonly #accounts = new Map<StreamId, Account>();

  /**
   * How long the stream's next publisher must wait, ms. Asking costs nothing: who is refused anyway takes nothing from
   * the one that is let in.
   * @param nowMs on the monotonic clock, here and below
   */
  due(streamId: StreamId, nowMs: number): number {
    const left = this.#left(streamId, nowMs);
    return left >= 1 ? 0 : Math.min(LONGEST_WAIT_MS, Math.ceil((1 - left) * REFILL_MS));
  }

  /** A publisher of the stream was let in. */
  spend(streamId: StreamId, nowMs: number): void {
    this.#sweep(nowMs);
    const lowest = 1 - LONGEST_WAIT_MS / REFILL_MS;
    this.#accounts.set(streamId, {
      left: Math.max(lowest, this.#left(streamId, nowMs) - 1),
      countedAtMs: nowMs,
    });
  }

  #left(streamId: StreamId, nowMs: number): number {
    const account = this.#accounts.get(streamId);
    return account === undefined ? BURST : Math.min(BURST, account.left + (nowMs - account.countedAtMs) / REFILL_MS);
  }

  #sweep(nowMs: number): void {
    if (this.#accounts.size <= SWEEP_ABOVE) return;
    for (const [streamId, { countedAtMs }] of this.#accounts) {
      if (nowMs - countedAtMs > FORGOTTEN_MS) this.#accounts.delete(streamId);
    }
  }
}
