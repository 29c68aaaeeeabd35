/**
 * Plays a live playlist with the browser's own HLS (older iPhones), which picks renditions and recovers by itself; what
 * it gives up on is loaded again.
 */
import { restartDelayMs } from './retry_delay.js';

/** @typedef {import('./hls_playback.js').Playback} Playback */
/** @typedef {Omit<import('./hls_playback.js').HlsDependencies, 'Hls' | 'nowMs'>} NativeDependencies */

/** @implements {Playback} */
export class NativePlayback {
  /** @type {NativeDependencies} */
  #deps;
  /** @type {number | undefined} */
  #restart;
  #restarts = 0;
  #loaded = false;
  /** @type {import('./hls_playback.js').Source | undefined} */
  #source;
  /** @type {undefined} */
  hls = undefined;

  /** @param {NativeDependencies} deps */
  constructor(deps) {
    this.#deps = deps;
    const { video, events } = deps;
    video.addEventListener('loadedmetadata', () => {
      if (this.#source?.position !== undefined) video.currentTime = this.#source.position;
      events.ready();
    });
    video.addEventListener('playing', () => {
      this.#restarts = 0;
    });
    video.addEventListener('ended', () => this.#loaded && events.ended());
    video.addEventListener('error', () => this.#loaded && this.#restartLater());
  }

  /** @param {import('./hls_playback.js').Source} [wanted] */
  start(wanted) {
    const { video } = this.#deps;
    const before = this.#source;
    const source = wanted ?? (before?.kind === 'live' ? before : before && { ...before, position: video.currentTime });
    this.stop();
    if (source === undefined) return;
    this.#source = source;
    this.#loaded = true;
    video.src = source.url;
    video.load();
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.#deps.video.currentTime = seconds;
  }

  playingDateMs() {
    // Safari's own (WebKit): the programme time of position 0.
    const { video } = this.#deps;
    const startMs = /** @type {{ getStartDate?: () => Date }} */ (video).getStartDate?.().getTime() ?? Number.NaN;
    return Number.isNaN(startMs) ? undefined : startMs + video.currentTime * 1000;
  }

  stop() {
    if (this.#restart !== undefined) this.#deps.clearTimer(this.#restart);
    this.#restart = undefined;
    if (!this.#loaded) return;
    this.#loaded = false;
    this.#deps.video.removeAttribute('src');
    this.#deps.video.load();
  }

  goLive() {
    const edge = this.#edge();
    if (edge !== undefined) this.#deps.video.currentTime = edge;
  }

  latency() {
    const edge = this.#edge();
    return edge === undefined ? undefined : Math.max(0, edge - this.#deps.video.currentTime);
  }

  /** @returns {undefined} */
  target() {
    return undefined;
  }

  /** @returns {readonly string[]} */
  renditions() {
    return [];
  }

  rendition() {
    const height = this.#deps.video.videoHeight;
    return height > 0 ? `${height}p` : undefined;
  }

  /** @returns {undefined} */
  chosen() {
    return undefined;
  }

  /** The browser chooses. */
  choose() {}

  /** @returns {number | undefined} */
  #edge() {
    const { seekable } = this.#deps.video;
    return seekable.length === 0 ? undefined : seekable.end(seekable.length - 1);
  }

  #restartLater() {
    if (this.#restart !== undefined) return;
    // Never at once: the browser has already tried again by itself.
    this.#restart = this.#deps.setTimer(() => this.start(), restartDelayMs(this.#restarts + 1, this.#deps.random));
    this.#restarts += 1;
  }
}
