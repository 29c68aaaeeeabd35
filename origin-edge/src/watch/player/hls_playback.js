/**
 * Plays a live playlist with hls.js (Media Source Extensions or Managed Media Source) and gets it going again whatever
 * breaks: the network is asked again, the decoder is reset once, and after that a fresh instance begins.
 */
import { hlsSettings, viewerReports } from './hls_settings.js';
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
 * @property {(source?: Source) => void} start loads a source, whatever was loaded before; without one what was loaded
 *   last, from where it stood
 * @property {() => void} stop unloads it
 * @property {(seconds: number) => void} seek on the media's own time line
 * @property {() => number | undefined} playingDateMs programme time of the picture, Unix time
 * @property {() => void} goLive moves to where a new viewer would begin
 * @property {() => number | undefined} latency s behind the live edge
 * @property {() => number | undefined} target s behind the live edge that are aimed at
 * @property {() => readonly string[]} renditions from the best to the least; empty when there is no choice
 * @property {() => string | undefined} rendition the one now playing
 * @property {() => string | undefined} chosen the one that the viewer asked for, undefined for automatic
 * @property {(rendition: string | undefined) => void} choose
 */

/**
 * @typedef {object} Source
 * @property {'live' | 'rewind' | 'recording'} kind
 * @property {string} url
 * @property {number} [position] s from the first segment; absent: where the playlist wants it
 * @property {number} [atMs] the same by programme time, which is right also when the window has slid
 */

/**
 * @typedef {object} PlaybackEvents
 * @property {() => void} ready there is something to play
 * @property {() => void} ended the playlist has ended and was played out
 * @property {() => void} changed the renditions, or the one that plays
 * @property {(status: number) => void} unplayable there is no such recording, or it is not open
 */

/**
 * @typedef {object} HlsDependencies
 * @property {HlsClass} Hls
 * @property {HTMLVideoElement} video
 * @property {PlaybackEvents} events
 * @property {() => number} nowMs on a clock that never goes back
 * @property {() => number} random
 * @property {(run: () => void, ms: number) => number} setTimer
 * @property {(timer: number) => void} clearTimer
 */

/** A start that misses the programme time that was wanted by more than this is put right, s. */
const START_TOLERANCE_S = 3;
/** A second fatal error within this time calls for the next stronger remedy, ms. */
const SOON_MS = 10_000;

/** @implements {Playback} */
export class HlsPlayback {
  /** @type {HlsDependencies} */
  #deps;
  /** @type {Hls | undefined} */
  #hls;
  /** @type {Source | undefined} */
  #source;
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

  /** @param {Source} [wanted] */
  start(wanted) {
    const source = wanted ?? this.#again();
    this.stop();
    if (source === undefined) return;
    this.#source = source;
    const { Hls, video } = this.#deps;
    // Who went back on purpose says nothing of how far behind live viewers are.
    const { cmcd, report } = viewerReports(() => (source.kind === 'live' ? this.latency() : undefined));
    const hls = new Hls({ ...hlsSettings(source), cmcd });
    this.#hls = hls;
    hls.on(Hls.Events.LEVEL_UPDATED, report);
    this.#listen(hls, source);
    hls.loadSource(source.url);
    hls.attachMedia(video);
  }

  stop() {
    if (this.#restart !== undefined) this.#deps.clearTimer(this.#restart);
    this.#restart = undefined;
    this.#hls?.destroy();
    this.#hls = undefined;
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.#deps.video.currentTime = seconds;
  }

  playingDateMs() {
    return this.#hls?.playingDate?.getTime();
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

  /** What was loaded last; of anything but the live edge the viewer's place is kept. */
  #again() {
    const source = this.#source;
    if (source === undefined || source.kind === 'live') return source;
    const atMs = this.playingDateMs();
    const { currentTime } = this.#deps.video;
    return { kind: source.kind, url: source.url, position: currentTime, ...(atMs === undefined ? {} : { atMs }) };
  }

  /**
   * @param {Hls} hls
   * @param {Source} source
   */
  #listen(hls, source) {
    const { Hls, events } = this.#deps;
    let first = true;
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (this.#chosen !== undefined) this.choose(this.#chosen);
      events.changed();
      events.ready();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => {
      // Began just as the session ended: there is nothing live to join.
      if (first && !details.live && source.kind === 'live') events.ended();
      if (first && source.kind === 'rewind') this.#correctStart(source, details);
      first = false;
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, () => events.changed());
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.#restarts = 0;
    });
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (data.fatal && hls === this.#hls) this.#recover(hls, data, source);
    });
  }

  /**
   * The window of a long session has left its start behind: seconds from its first segment are no longer seconds from
   * the session's start.
   *
   * @param {Source} source
   * @param {import('hls.js').LevelDetails} details
   */
  #correctStart({ position, atMs }, details) {
    if (position === undefined || atMs === undefined) return;
    const fragment = details.fragments.findLast(({ programDateTime }) => (programDateTime ?? Infinity) <= atMs);
    const exact = fragment === undefined ? 0 : fragment.start + (atMs - (fragment.programDateTime ?? atMs)) / 1000;
    if (Math.abs(exact - position) > START_TOLERANCE_S) this.seek(exact);
  }

  /**
   * @param {Hls} hls
   * @param {ErrorData} data
   * @param {Source} source
   */
  #recover(hls, data, source) {
    const { Hls, nowMs, events } = this.#deps;
    const now = nowMs();
    const status = data.response?.code ?? 0;
    if (source.kind === 'recording' && hls.levels.length === 0 && [401, 403, 404].includes(status)) {
      events.unplayable(status);
      return;
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.#lastMediaErrorMs > SOON_MS) {
      this.#lastMediaErrorMs = now;
      hls.recoverMediaError();
      return;
    }
    const loaded = hls.levels.length > 0;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && loaded && now - this.#lastNetworkErrorMs > SOON_MS) {
      this.#lastNetworkErrorMs = now;
      hls.startLoad(source.kind === 'live' ? -1 : this.#deps.video.currentTime);
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
