/**
 * Plays a live playlist with hls.js (Media Source Extensions or Managed Media Source) and gets it going again whatever
 * breaks: the network is asked again, the decoder is reset once, and after that a fresh instance begins.
 */
import { hlsSettings } from './hls_settings.js';
import { restartDelayMs } from './retry_delay.js';
import { renditionOfPlaylist } from './stream_urls.js';

/** @typedef {import('hls.js').default} Hls */
/** @typedef {typeof import('hls.js').default} HlsClass */
/** @typedef {import('hls.js').ErrorData} ErrorData */
/** @typedef {import('hls.js').Level} Level */

/**
 * What the player needs of a way to play, be it hls.js or the browser's own.
 *
 * @typedef {object} Playback
 * @property {Hls | undefined} hls
 * @property {() => void} start loads the stream from its live edge, whatever was loaded before
 * @property {() => void} stop unloads it
 * @property {() => void} goLive moves to where a new viewer would begin
 * @property {() => number | undefined} latency s behind the live edge
 * @property {() => number | undefined} target s behind the live edge that are aimed at
 * @property {() => readonly string[]} renditions from the best to the least; empty when there is no choice
 * @property {() => string | undefined} rendition the one now playing
 * @property {() => string | undefined} chosen the one that the viewer asked for, undefined for automatic
 * @property {(rendition: string | undefined) => void} choose
 */

/**
 * @typedef {object} PlaybackEvents
 * @property {() => void} ready there is something to play
 * @property {() => void} ended the playlist has ended and was played out
 * @property {() => void} changed the renditions, or the one that plays
 */

/**
 * @typedef {object} HlsDependencies
 * @property {HlsClass} Hls
 * @property {HTMLVideoElement} video
 * @property {string} url
 * @property {PlaybackEvents} events
 * @property {() => number} nowMs on a clock that never goes back
 * @property {() => number} random
 * @property {(run: () => void, ms: number) => number} setTimer
 * @property {(timer: number) => void} clearTimer
 */

/** A second fatal error within this time calls for the next stronger remedy, ms. */
const SOON_MS = 10_000;

/** @implements {Playback} */
export class HlsPlayback {
  /** @type {HlsDependencies} */
  #deps;
  /** @type {Hls | undefined} */
  #hls;
  /** @type {number | undefined} */
  #restart;
  #restarts = 0;
  #lastMediaErrorMs = -Infinity;
  #lastNetworkErrorMs = -Infinity;
  /** @type {string | undefined} */
  #chosen;

  /** @param {HlsDependencies} deps */
  constructor(deps) {
    this.#deps = deps;
    deps.video.addEventListener('ended', () => this.#hls !== undefined && deps.events.ended());
  }

  get hls() {
    return this.#hls;
  }

  start() {
    this.stop();
    const { Hls, video, url } = this.#deps;
    const hls = new Hls(hlsSettings());
    this.#hls = hls;
    this.#listen(hls);
    hls.loadSource(url);
    hls.attachMedia(video);
  }

  stop() {
    if (this.#restart !== undefined) this.#deps.clearTimer(this.#restart);
    this.#restart = undefined;
    this.#hls?.destroy();
    this.#hls = undefined;
  }

  goLive() {
    const position = this.#hls?.liveSyncPosition;
    if (typeof position === 'number') this.#deps.video.currentTime = position;
  }

  latency() {
    const latency = this.#hls?.latency;
    return latency === undefined || latency === 0 ? undefined : latency;
  }

  target() {
    return this.#hls?.targetLatency ?? undefined;
  }

  renditions() {
    const levels = [...(this.#hls?.levels ?? [])];
    levels.sort((one, other) => other.bitrate - one.bitrate);
    return [...new Set(levels.map(nameOf))];
  }

  rendition() {
    const hls = this.#hls;
    const level = hls?.levels[hls.currentLevel];
    return level === undefined ? undefined : nameOf(level);
  }

  chosen() {
    return this.#chosen;
  }

  /** @param {string | undefined} rendition */
  choose(rendition) {
    this.#chosen = rendition;
    const hls = this.#hls;
    if (hls === undefined) return;
    // From the next fragment on: what is buffered plays out, nothing stalls.
    hls.nextLevel = hls.levels.findIndex((level) => nameOf(level) === rendition);
    this.#deps.events.changed();
  }

  /** @param {Hls} hls */
  #listen(hls) {
    const { Hls, events } = this.#deps;
    let first = true;
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (this.#chosen !== undefined) this.choose(this.#chosen);
      events.changed();
      events.ready();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => {
      // Began just as the session ended: there is nothing live to join.
      if (first && !details.live) events.ended();
      first = false;
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, () => events.changed());
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.#restarts = 0;
    });
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (data.fatal && hls === this.#hls) this.#recover(hls, data);
    });
  }

  /**
   * @param {Hls} hls
   * @param {ErrorData} data
   */
  #recover(hls, data) {
    const { Hls, nowMs } = this.#deps;
    const now = nowMs();
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.#lastMediaErrorMs > SOON_MS) {
      this.#lastMediaErrorMs = now;
      hls.recoverMediaError();
      return;
    }
    const loaded = hls.levels.length > 0;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && loaded && now - this.#lastNetworkErrorMs > SOON_MS) {
      this.#lastNetworkErrorMs = now;
      hls.startLoad(-1);
      return;
    }
    this.#restartLater();
  }

  /** The instance stays until then: the standing picture is better than none. */
  #restartLater() {
    const { setTimer, random } = this.#deps;
    if (this.#restart !== undefined) return;
    this.#restart = setTimer(() => this.start(), restartDelayMs(this.#restarts, random));
    this.#restarts += 1;
  }
}

/**
 * @param {Level} level
 * @returns {string}
 */
function nameOf(level) {
  return renditionOfPlaylist(level.url[0] ?? '') ?? (level.height > 0 ? `${level.height}p` : 'audio');
}
