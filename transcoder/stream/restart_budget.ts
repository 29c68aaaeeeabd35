/**
 * Bounds how often one session may start an encoder: a publisher that changes its headers or its clock all the time
 * would otherwise cost a new FFmpeg and a claim for each of its key frames.
 */

/** Starts that may follow each other at once. */
const BURST = 10;
/** One more is allowed after each of these, ms. */
const REFILL_MS = 6000;

export class RestartBudget {
  #left = BURST;
  #countedAtMs: number;

  /** @param nowMs on the monotonic clock, here and below */
  constructor(nowMs: number) {
    this.#countedAtMs = nowMs;
  }

  /** Takes one start; gives how long it must wait, ms. */
  take(nowMs: number): number {
    this.#left = Math.min(BURST, this.#left + (nowMs - this.#countedAtMs) / REFILL_MS);
    this.#countedAtMs = nowMs;
    this.#left -= 1;
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left * REFILL_MS);
  }
}
