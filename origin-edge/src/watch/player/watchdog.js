/**
 * Notices a player that neither moves nor fails, and a viewer who has fallen behind for good.
 */

/** The picture stands although the stream is live: begin anew after this, ms, and then ever more rarely. */
const PATIENCE_MS = 10_000;
const PATIENCE_MAX_MS = 40_000;
/** Late for this long: it does not catch up by itself, ms. */
const LATE_MS = 4000;

export class Watchdog {
  #patienceMs = PATIENCE_MS;
  #sinceMs = 0;
  #restarts = 0;
  /** @type {number | undefined} */
  #position;
  /** @type {number | undefined} */
  #lateSinceMs;

  /** How often it has bitten. */
  get restarts() {
    return this.#restarts;
  }

  /**
   * Something new was begun: it has all its time.
   *
   * @param {number} nowMs
   */
  reset(nowMs) {
    this.#sinceMs = nowMs;
    this.#patienceMs = PATIENCE_MS;
  }

  /**
   * @param {number} nowMs on a clock that never goes back
   * @param {number} position of the picture, s
   * @param {boolean} wanted it should be moving
   * @returns {boolean} true: begin anew, once
   */
  bites(nowMs, position, wanted) {
    const moved = position !== this.#position;
    this.#position = position;
    if (!wanted || moved) {
      this.#sinceMs = nowMs;
      if (moved && wanted) this.#patienceMs = PATIENCE_MS;
      return false;
    }
    if (nowMs - this.#sinceMs < this.#patienceMs) return false;
    this.#sinceMs = nowMs;
    this.#patienceMs = Math.min(PATIENCE_MAX_MS, this.#patienceMs * 1.5);
    this.#restarts += 1;
    return true;
  }

  /**
   * @param {number} nowMs
   * @param {boolean} late
   * @returns {boolean} true: jump to the live edge, once
   */
  late(nowMs, late) {
    if (!late) {
      this.#lateSinceMs = undefined;
      return false;
    }
    this.#lateSinceMs ??= nowMs;
    if (nowMs - this.#lateSinceMs < LATE_MS) return false;
    this.#lateSinceMs = undefined;
    return true;
  }
}
