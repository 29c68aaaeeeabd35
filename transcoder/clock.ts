/**
 * Time, injected: logic asks a clock, tests hand it one that they move.
 */
export interface Clock {
  /** Unix time, ms. May jump; used for PROGRAM-DATE-TIME only. */
  wallMs(): number;
  /** ms from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** Calls `action` every `periodMs`; the returned function stops it. */
  every(periodMs: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  every: (periodMs, action) => {
    const timer = setInterval(action, periodMs);
    return () => clearInterval(timer);
  },
};
