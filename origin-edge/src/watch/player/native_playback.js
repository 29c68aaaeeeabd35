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
  /** @type {undefined} */
  hls = undefined;

  /** @param {NativeDependencies} deps */
  constructor(deps) {
    this.#deps = deps;
    const { video, events } = deps;
    video.addEventListener('loadedmetadata', () => events.ready());
    video.addEventListener('playing', () => {
      this.#restarts = 0;
    });
    video.addEventListener('ended', () => this.#loaded && events.ended());
    video.addEventListener('error', () => this.#loaded && this.#restartLater());
  }

  start() {
    this.stop();
    this.#loaded = true;
    this.#deps.video.src = this.#deps.url;
    this.#deps.video.load();
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
