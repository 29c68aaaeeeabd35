/**
 * Measures for how long the picture stood still although it should have moved. It is fed samples of the position and
 * of a clock; it knows neither the video nor the time.
 */

/** Less than this between two samples that differ is the ordinary grain of a media clock, ms. */
const GRAIN_MS = 250;

/**
 * @typedef {object} StallStats
 * @property {number} count stalls that are over, and the running one
 * @property {number} totalMs all of them together
 * @property {number} longestMs
 * @property {number} lastMs the running one, else the last one
 */

export class StallClock {
  /** @type {number | undefined} */
  #position;
  #movedAtMs = 0;
  #count = 0;
  #totalMs = 0;
  #longestMs = 0;
  #lastMs = 0;
  #runningMs = 0;

  /**
   * @param {number} nowMs on a clock that never goes back
   * @param {number} position of the picture, s
   * @param {boolean} expected false while it rightly stands still (paused, not live, not yet begun): such time is not
   *   counted
   * @returns {number} ms since the picture last moved, 0 when it is not expected to
   */
  sample(nowMs, position, expected) {
    if (!expected) {
      this.#close();
      this.#position = undefined;
      return 0;
    }
    if (this.#position !== position) {
      if (this.#position !== undefined) this.#note(nowMs - this.#movedAtMs);
      this.#close();
      this.#position = position;
      this.#movedAtMs = nowMs;
      return 0;
    }
    this.#note(nowMs - this.#movedAtMs);
    return nowMs - this.#movedAtMs;
  }

  /** @returns {StallStats} ms, whole */
  stats() {
    const running = this.#runningMs > 0;
    return {
      count: this.#count + (running ? 1 : 0),
      totalMs: Math.round(this.#totalMs + this.#runningMs),
      longestMs: Math.round(Math.max(this.#longestMs, this.#runningMs)),
      lastMs: Math.round(running ? this.#runningMs : this.#lastMs),
    };
  }

  /** @param {number} stillMs */
  #note(stillMs) {
    if (stillMs > GRAIN_MS) this.#runningMs = stillMs;
  }

  #close() {
    if (this.#runningMs === 0) return;
    this.#count += 1;
    this.#totalMs += this.#runningMs;
    this.#longestMs = Math.max(this.#longestMs, this.#runningMs);
    this.#lastMs = this.#runningMs;
    this.#runningMs = 0;
  }
}
