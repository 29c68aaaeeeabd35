/**
 * Decides how much standing picture is due so that the playlist keeps the pace of the clock while no media comes:
 * Apple's players give up after 1.5 target durations without a new segment.
 */

/** A part may be this late before the standing picture steps in, ms: an epoch that just ended may still be followed at once. */
const PATIENCE_MS = 400;

export class HoldPacer {
  readonly #partMs: number;
  /** Monotonic time up to which the playlist has media. */
  #edgeMs: number;
  #holding = false;
  #version = -1;

  constructor(partSeconds: number, nowMs: number) {
    this.#partMs = partSeconds * 1000;
    this.#edgeMs = nowMs;
  }

  /**
   * How many parts of standing picture are due now.
   * @param version of the window: a change since `held` means that media came
   * @param silent nothing is coming out of an encoder and nothing is being flushed
   */
  due(nowMs: number, version: number, silent: boolean): number {
    if (version !== this.#version || !silent) {
      // While an encoder works, its parts set the pace, however late they are.
      if (version !== this.#version) this.#edgeMs = nowMs;
      this.#version = version;
      this.#holding = false;
      return 0;
    }
    const lateMs = nowMs - this.#edgeMs;
    if (lateMs < this.#partMs + (this.#holding ? 0 : PATIENCE_MS)) return 0;
    return Math.floor(lateMs / this.#partMs);
  }

  /** A part of standing picture of this length was appended; `version` is the window's after it. */
  held(version: number, seconds: number): void {
    this.#holding = true;
    this.#edgeMs += seconds * 1000;
    this.#version = version;
  }
}
