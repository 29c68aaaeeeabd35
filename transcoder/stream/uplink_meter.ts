/**
 * Notices an uplink that does not keep up: media arrives, but less of it than time passes.
 */

/** Measured over this much time, ms. */
const WINDOW_MS = 10_000;
/** Media per time below which an uplink is slow: clocks of encoders are off by less than 1 %. */
const SLOW_SHARE = 0.9;
/** A step beyond this is a jump of the publisher's clock, ms. */
const JUMP_MS = 5_000;

export class UplinkMeter {
  #start: { readonly mediaMs: number; readonly atMs: number } | undefined;
  #lastMs = 0;

  /**
   * @param timestampMs the publisher's, of video, or of audio where there is no video
   * @param nowMs on the monotonic clock
   * @returns at the end of a window in which the uplink was slow: media that arrived per time that passed
   */
  media(timestampMs: number, nowMs: number): number | undefined {
    const step = timestampMs - this.#lastMs;
    this.#lastMs = timestampMs;
    if (this.#start === undefined || step < 0 || step > JUMP_MS) {
      this.#start = { mediaMs: timestampMs, atMs: nowMs };
      return undefined;
    }
    const elapsedMs = nowMs - this.#start.atMs;
    if (elapsedMs < WINDOW_MS) return undefined;
    const share = (timestampMs - this.#start.mediaMs) / elapsedMs;
    this.#start = { mediaMs: timestampMs, atMs: nowMs };
    return share < SLOW_SHARE ? share : undefined;
  }
}
