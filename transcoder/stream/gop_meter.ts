/**
 * Measures what decides whether a source may be passed through: the distance of its key frames, and its bitrate.
 */

/** Bitrate is averaged over this many ms. */
const BITRATE_WINDOW_MS = 10_000;
/** A picture this much before or after the last one, ms, is on another timeline, or the publisher was away. */
const BACK_MS = 1000;
const AHEAD_MS = 2500;

export class GopMeter {
  #keyAtMs: number | undefined;
  #longestMs = 0;
  #lastMs = 0;
  #windowStartMs: number | undefined;
  #windowBytes = 0;
  #bitrate: number | undefined;
  #peakBitrate = 0;

  /** Longest complete GOP so far, ms; 0 before the second key frame. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Age of the GOP that is being sent, ms. */
  get currentMs(): number {
    return this.#keyAtMs === undefined ? 0 : this.#lastMs - this.#keyAtMs;
  }

  /** Over the last ten seconds, bits per second; undefined before they have passed. */
  get bitrate(): number | undefined {
    return this.#bitrate;
  }

  get peakBitrate(): number {
    return this.#peakBitrate;
  }

  /** @param timestampMs the publisher's */
  video(timestampMs: number, byteLength: number, keyFrame: boolean): void {
    if (timestampMs < this.#lastMs - BACK_MS || timestampMs > this.#lastMs + AHEAD_MS) this.restart();
    this.#lastMs = timestampMs;
    if (keyFrame) {
      if (this.#keyAtMs !== undefined) this.#longestMs = Math.max(this.#longestMs, timestampMs - this.#keyAtMs);
      this.#keyAtMs = timestampMs;
    }
    this.#windowStartMs ??= timestampMs;
    this.#windowBytes += byteLength;
    const elapsedMs = timestampMs - this.#windowStartMs;
    if (elapsedMs < BITRATE_WINDOW_MS) return;
    this.#bitrate = (this.#windowBytes * 8000) / elapsedMs;
    this.#peakBitrate = Math.max(this.#peakBitrate, this.#bitrate);
    this.#windowStartMs = timestampMs;
    this.#windowBytes = 0;
  }

  /** The timeline broke: distances across the break mean nothing. */
  restart(): void {
    this.#keyAtMs = undefined;
    this.#windowStartMs = undefined;
    this.#windowBytes = 0;
  }
}
