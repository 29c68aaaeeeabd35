/**
 * Asks for `/{streamId}/status.json` again and again, one question at a time, and rarely while nobody looks.
 */
import { statusDelayMs } from './retry_delay.js';

/** @typedef {import('./live_session.js').Status} Status */

/**
 * @typedef {object} PollDependencies
 * @property {string} url
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {() => number} random
 * @property {(run: () => void, ms: number) => number} setTimer
 * @property {(timer: number) => void} clearTimer
 * @property {() => boolean} hidden
 * @property {() => boolean} playing
 * @property {(status: Status | undefined) => void} onStatus undefined for 404
 * @property {() => void} onRefused for 401 and 403
 */

const TIMEOUT_MS = 8000;
const STATES = new Set(['starting', 'live', 'interrupted', 'ended']);

export class StatusPoll {
  /** @type {PollDependencies} */
  #deps;
  /** @type {number | undefined} */
  #timer;
  #asking = false;
  #failures = 0;
  #hiddenAsks = 0;

  /** @param {PollDependencies} deps */
  constructor(deps) {
    this.#deps = deps;
  }

  /** Asks now, unless an answer is already on its way, and goes on from there. */
  ask() {
    if (this.#asking) return;
    if (this.#timer !== undefined) this.#deps.clearTimer(this.#timer);
    void this.#askAndGoOn();
  }

  async #askAndGoOn() {
    const { hidden, playing, random, setTimer } = this.#deps;
    this.#asking = true;
    try {
      await this.#askOnce();
    } finally {
      this.#asking = false;
      this.#hiddenAsks = hidden() ? this.#hiddenAsks + 1 : 0;
      const situation = { playing: playing(), hiddenAsks: this.#hiddenAsks, failures: this.#failures };
      this.#timer = setTimer(() => this.ask(), statusDelayMs(situation, random));
    }
  }

  /** An answer that cannot be had or read changes nothing: it only makes the next question later. */
  async #askOnce() {
    const { url, fetch, onStatus, onRefused } = this.#deps;
    const answer = await read(fetch, url);
    this.#failures = answer === 'failed' ? this.#failures + 1 : 0;
    if (answer === 'failed') return;
    if (answer === 'refused') onRefused();
    else onStatus(answer === 'missing' ? undefined : answer);
  }
}

/**
 * @param {PollDependencies['fetch']} fetch
 * @param {string} url
 * @returns {Promise<Status | 'missing' | 'refused' | 'failed'>}
 */
async function read(fetch, url) {
  try {
    const response = await fetch(url, { cache: 'no-cache', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status === 404) return 'missing';
    if (response.status === 401 || response.status === 403) return 'refused';
    if (!response.ok) return 'failed';
    return parseStatus(await response.json()) ?? 'failed';
  } catch {
    // Offline, timed out, or not JSON.
    return 'failed';
  }
}

/**
 * @param {unknown} value
 * @returns {Status | undefined} undefined when it is not a status
 */
export function parseStatus(value) {
  if (typeof value !== 'object' || value === null) return undefined;
  const { state, sessionId, title, startedAt, recordings } = /** @type {Record<string, unknown>} */ (value);
  if (typeof state !== 'string' || !STATES.has(state)) return undefined;
  return {
    state: /** @type {Status['state']} */ (state),
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof startedAt === 'string' && Date.parse(startedAt) > 0 ? { startedAtMs: Date.parse(startedAt) } : {}),
    ...(Array.isArray(recordings) ? { recordings: recordings.filter(isRecording) } : {}),
  };
}

/**
 * @param {unknown} value
 * @returns {value is import('./recording_list.js').Recording}
 */
function isRecording(value) {
  if (typeof value !== 'object' || value === null) return false;
  const { sessionId, startedAt } = /** @type {Record<string, unknown>} */ (value);
  return typeof sessionId === 'string' && typeof startedAt === 'string' && Date.parse(startedAt) > 0;
}
