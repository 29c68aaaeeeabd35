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
  left: number;
  countedAtMs: number;
}

export class ConnectBudget {
  readonly #accounts = new Map<StreamId, Account>();

  /**
   * Takes one connect of a stream.
   * @param nowMs on the monotonic clock
   * @returns how long it must wait, ms
   */
  take(streamId: StreamId, nowMs: number): number {
    this.#sweep(nowMs);
    const account = this.#accounts.get(streamId) ?? { left: BURST, countedAtMs: nowMs };
    const regained = (nowMs - account.countedAtMs) / REFILL_MS;
    const lowest = -LONGEST_WAIT_MS / REFILL_MS;
    account.left = Math.max(lowest, Math.min(BURST, account.left + regained) - 1);
    account.countedAtMs = nowMs;
    this.#accounts.set(streamId, account);
    return account.left >= 0 ? 0 : Math.ceil(-account.left * REFILL_MS);
  }

  #sweep(nowMs: number): void {
    if (this.#accounts.size <= SWEEP_ABOVE) return;
    for (const [streamId, { countedAtMs }] of this.#accounts) {
      if (nowMs - countedAtMs > FORGOTTEN_MS) this.#accounts.delete(streamId);
    }
  }
}
