/**
 * Decides how much standing picture is due so that the playlist keeps the pace of the clock while no media comes:
 * Apple's players give up after 1.5 target durations without a new segment.
 */

export interface HoldState {
  readonly nowMs: number;
  /** When the newest part was appended, monotonic ms. */
  readonly lastPartAtMs: number;
  /** Nothing is coming out of an encoder and nothing is being flushed. */
  readonly silent: boolean;
  readonly partSeconds: number;
}

/** A part may be this late before the standing picture steps in, ms: an epoch that just ended may still be followed at once. */
const PATIENCE_MS = 400;

/** How many parts of standing picture are due now. */
export function holdPartsDue(state: HoldState): number {
  const partMs = state.partSeconds * 1000;
  const lateMs = state.nowMs - state.lastPartAtMs;
  if (!state.silent || lateMs < partMs + PATIENCE_MS) return 0;
  return Math.floor(lateMs / partMs);
}
