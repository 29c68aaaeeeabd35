/**
 * How long to wait before asking again: spread by chance, so that the viewers of one stream do not ask in step.
 */

/** Time between two looks at a stream's status while nothing plays, ms. */
const WAITING_MS = 2000;
/** The same while it plays; a picture that stands still asks at once. */
const PLAYING_MS = 4000;
/** Nobody looks at a hidden page: it asks ever more rarely, down to this, ms. */
const HIDDEN_MAX_MS = 30_000;
const FAILED_MAX_MS = 15_000;

/**
 * @param {object} situation
 * @param {boolean} situation.playing
 * @param {number} situation.hiddenAsks how often the page has asked since it was hidden; 0 when it is visible
 * @param {number} situation.failures how often in a row there was no answer
 * @param {() => number} random in [0, 1)
 * @returns {number} ms until the next look at the status, within 20 % of the nominal time
 */
export function statusDelayMs({ playing, hiddenAsks, failures }, random) {
  const base = playing ? PLAYING_MS : WAITING_MS;
  const hidden = hiddenAsks === 0 ? base : Math.min(HIDDEN_MAX_MS, base * 2 ** Math.min(hiddenAsks, 8));
  const failed = failures === 0 ? base : Math.min(FAILED_MAX_MS, base * 1.5 ** Math.min(failures, 16));
  return Math.max(hidden, failed) * (0.8 + 0.4 * random());
}

/**
 * @param {number} attempt 0 for the first try after a failure
 * @param {() => number} random in [0, 1)
 * @returns {number} ms until a player that gave up is made anew: at once at first, then 1, 2, 4, 8 s
 */
export function restartDelayMs(attempt, random) {
  if (attempt <= 0) return 0;
  return Math.min(8000, 500 * 2 ** Math.min(attempt, 8)) * (0.8 + 0.4 * random());
}
