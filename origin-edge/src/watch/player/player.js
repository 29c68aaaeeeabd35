/**
 * One player on a page: composes the session, the playback and the controls, and keeps the picture moving.
 */
import { announceView } from './announcer.js';
import { Controls } from './controls.js';
import { showFacts } from './facts.js';
import { HlsPlayback } from './hls_playback.js';
import { listenToKeys } from './keyboard.js';
import { LiveSession } from './live_session.js';
import { NativePlayback } from './native_playback.js';
import { playerElements } from './player_elements.js';
import { QualityMenu } from './quality_menu.js';
import { RecordedSession } from './recorded_session.js';
import { listRecordings } from './recording_list.js';
import { SeekBar, isAtEdge } from './seek_bar.js';
import { StallClock } from './stall_clock.js';
import { StatusPoll } from './status_poll.js';
import { pageQuery, streamUrls } from './stream_urls.js';
import { Watchdog } from './watchdog.js';

/** @typedef {import('./hls_playback.js').Playback} Playback */

/** How often the picture is looked at, ms: the resolution of the stalls. */
const TICK_MS = 100;
/** The numbers change this often, in ticks. */
const FACTS_EVERY = 5;
/** Further from the live edge than it should be by this, s: the viewer is behind. */
const BEHIND_S = 3;
/** What an arrow key moves, s. */
const STEP_S = 10;
/** A picture that has not come by then gets the poster in its place, ms. */
const POSTER_AFTER_MS = 2500;

export class Player {
  #elements;
  #urls;
  /** @type {Playback | undefined} */
  #playback;
  #session;
  #poll;
  #controls;
  #menu;
  #seekBar;
  /** What is loaded. @type {'live' | 'rewind' | 'recording'} */
  #mode;
  /** When the live session began. @type {number | undefined} */
  #startedAtMs;
  #stalls = new StallClock();
  #watchdog = new Watchdog();
  #ticks = 0;
  /** Of the last picture shown, s. */
  #position = 0;
  /** The viewer wants it to stand still. */
  #paused = false;
  /** The viewer went back on purpose, by pausing: only they go forward again. */
  #stayBack = false;
  #begun = false;

  /** @param {HTMLElement} section */
  constructor(section) {
    this.#elements = playerElements(section);
    this.video = this.#elements.video;
    this.#urls = streamUrls(section.dataset['stream'] ?? '', location.search);
    this.#mode = this.#urls.recording === undefined ? 'live' : 'recording';
    this.#playback = this.#makePlayback();
    this.#session = this.#makeSession();
    this.#poll = this.#makePoll();
    this.#controls = new Controls(this.#elements, { togglePlay: () => this.togglePlay(), goLive: () => this.goLive() });
    this.#menu = new QualityMenu(this.#elements, (rendition) => this.#playback?.choose(rendition));
    this.#seekBar = new SeekBar(this.#elements, (seconds) => this.seekTo(seconds));
    this.#listen();
  }

  /** The hls.js instance of the moment; undefined with native HLS and while nothing is loaded. */
  get hls() {
    return this.#playback?.hls;
  }

  /** Looks at the stream's status and plays as soon as there is something to play. */
  begin() {
    const { section, veilTitle, veilText } = this.#elements;
    if (this.#playback === undefined) {
      section.dataset['state'] = 'refused';
      veilTitle.textContent = 'This browser cannot play the stream';
      veilText.textContent = 'It has neither Media Source Extensions nor HLS of its own.';
      return;
    }
    this.#showFacts();
    if (this.#session instanceof RecordedSession) this.#session.begin();
    this.#poll.ask();
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** For tests and support: seconds, milliseconds, and names. */
  stats() {
    const quality = this.video.getVideoPlaybackQuality?.();
    return {
      state: this.#session.view,
      latency: this.#playback?.latency(),
      targetLatency: this.#playback?.target(),
      rendition: this.#playback?.rendition(),
      renditions: this.#playback?.renditions() ?? [],
      chosen: this.#playback?.chosen() ?? 'auto',
      stalls: this.#stalls.stats(),
      droppedFrames: quality?.droppedVideoFrames ?? 0,
      totalFrames: quality?.totalVideoFrames ?? 0,
      restarts: this.#watchdog.restarts,
    };
  }

  togglePlay() {
    if (!this.#session.loaded) return;
    if (this.video.paused) {
      this.#paused = false;
      void this.#play();
    } else {
      this.#paused = true;
      this.#stayBack = true;
      this.video.pause();
    }
  }

  goLive() {
    if (this.#mode === 'recording') location.assign(`${location.pathname}${pageQuery(location.search, undefined)}`);
    if (this.#mode === 'recording' || !this.#session.loaded) return;
    this.#paused = false;
    this.#stayBack = false;
    if (this.#mode === 'rewind') this.#load({ kind: 'live', url: this.#urls.playlist });
    else this.#playback?.goLive();
    void this.#play();
  }

  /**
   * Goes to a place on the time line that the seek bar shows. From live it loads the rewind playlist; at its end it
   * goes live again.
   *
   * @param {number} seconds
   */
  seekTo(seconds) {
    const timeline = this.#timeline();
    if (timeline === undefined || !this.#session.loaded) return;
    const wanted = Math.min(timeline.end, Math.max(timeline.start, seconds));
    if (this.#mode !== 'recording' && isAtEdge(timeline, wanted)) {
      this.goLive();
      return;
    }
    this.#stayBack = true;
    if (this.#mode === 'live') {
      const atMs = (this.#startedAtMs ?? 0) + wanted * 1000;
      this.#load({ kind: 'rewind', url: this.#urls.rewind, position: wanted, atMs });
    } else {
      this.#playback?.seek(wanted);
    }
  }

  /** @returns {Playback | undefined} undefined when the browser can play neither way */
  #makePlayback() {
    const Hls = /** @type {{ Hls?: typeof import('hls.js').default }} */ (/** @type {unknown} */ (globalThis)).Hls;
    const deps = {
      video: this.video,
      events: {
        ready: () => void this.#play(),
        ended: () => {
          this.#session.onPlaybackEnded();
          this.#poll.ask();
        },
        changed: () => this.#showFacts(),
        unplayable: (/** @type {number} */ status) => {
          if (this.#session instanceof RecordedSession) this.#session.onUnplayable(status);
        },
      },
      nowMs: () => performance.now(),
      random: Math.random,
      setTimer: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms),
      clearTimer: (/** @type {number} */ timer) => clearTimeout(timer),
    };
    if (Hls?.isSupported() === true) return new HlsPlayback({ ...deps, Hls });
    return this.video.canPlayType('application/vnd.apple.mpegurl') === '' ? undefined : new NativePlayback(deps);
  }

  /** @returns {LiveSession | RecordedSession} */
  #makeSession() {
    const actions = {
      start: () => this.#start(),
      stop: () => this.#stop(),
      show: (/** @type {import('./live_session.js').View} */ view) => announceView(this.#elements, view),
    };
    return this.#mode === 'recording' ? new RecordedSession(actions) : new LiveSession(actions);
  }

  #makePoll() {
    return new StatusPoll({
      url: this.#urls.status,
      fetch: (url, init) => fetch(url, init),
      random: Math.random,
      setTimer: (run, ms) => setTimeout(run, ms),
      clearTimer: (timer) => clearTimeout(timer),
      hidden: () => document.hidden,
      playing: () => this.#session.view === 'live',
      onStatus: (status) => {
        if (status?.title !== undefined && status.title !== '') this.#title(status.title);
        this.#startedAtMs = status?.startedAtMs;
        listRecordings(status?.recordings ?? [], (id) => `${location.pathname}${pageQuery(location.search, id)}`);
        this.#session.onStatus(status);
        this.#showFacts();
      },
      onRefused: () => this.#session.onRefused(),
    });
  }

  #listen() {
    const { section, video, bigPlay } = this.#elements;
    listenToKeys(section, (action) => {
      if (action === 'play') this.togglePlay();
      else if (action === 'live') this.goLive();
      else if (action === 'mute') this.#controls.toggleMute();
      else if (action === 'start') this.seekTo(-Infinity);
      else if (action === 'back') this.#step(-STEP_S);
      else if (action === 'forward') this.#step(STEP_S);
      else this.#controls.toggleFull();
    });
    document.addEventListener('visibilitychange', () => !document.hidden && this.#poll.ask());
    window.addEventListener('online', () => this.#poll.ask());
    video.addEventListener('playing', () => {
      this.#begun = true;
      bigPlay.hidden = true;
      section.dataset['picture'] = 'true';
    });
    // Media keys, the picture-in-picture window, a phone call: somebody other than this page pauses too.
    video.addEventListener('pause', () => {
      if (this.#session.loaded && !video.ended) this.#paused = true;
    });
    video.addEventListener('play', () => {
      this.#paused = false;
    });
  }

  #start() {
    const { section, video } = this.#elements;
    this.#begun = false;
    this.#paused = false;
    this.#stayBack = false;
    section.dataset['picture'] = 'false';
    const { recording, playlist } = this.#urls;
    this.#load(recording === undefined ? { kind: 'live', url: playlist } : { kind: 'recording', url: recording });
    setTimeout(() => {
      if (this.#session.loaded && !this.#begun) video.poster = this.#urls.poster;
    }, POSTER_AFTER_MS);
  }

  #stop() {
    const { section, bigPlay, unmute, video } = this.#elements;
    section.dataset['picture'] = 'false';
    bigPlay.hidden = true;
    unmute.hidden = true;
    video.removeAttribute('poster');
    this.#playback?.stop();
    this.#controls.update();
    this.#showFacts();
  }

  /** @param {import('./hls_playback.js').Source} source */
  #load(source) {
    this.#mode = source.kind;
    this.#watchdog.reset(performance.now());
    this.#playback?.start(source);
  }

  /** @param {number} seconds */
  #step(seconds) {
    const timeline = this.#timeline();
    if (timeline !== undefined) this.seekTo(timeline.position + seconds);
  }

  /**
   * What can be watched: of a live stream the session since its start, else what the media's own time line offers.
   *
   * @returns {import('./seek_bar.js').Timeline | undefined}
   */
  #timeline() {
    const { video } = this;
    if (!this.#session.loaded || !this.#begun) return undefined;
    if (this.#mode === 'live') {
      const [dateMs, latency] = [this.#playback?.playingDateMs(), this.#playback?.latency()];
      if (this.#startedAtMs === undefined || dateMs === undefined || latency === undefined) return undefined;
      const position = (dateMs - this.#startedAtMs) / 1000;
      return { start: 0, end: position + latency, position, live: true };
    }
    const { seekable } = video;
    if (seekable.length === 0) return undefined;
    const [start, end] = [seekable.start(0), seekable.end(seekable.length - 1)];
    return { start, end, position: video.currentTime, live: this.#mode === 'rewind' };
  }

  /** Sound if the browser lets it; else without, and a button that says so; else a button to press. */
  async #play() {
    const { video, unmute, bigPlay } = this.#elements;
    if (this.#paused) return;
    try {
      await video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      if (video.muted) {
        bigPlay.hidden = false;
        return;
      }
      video.muted = true;
      unmute.hidden = false;
      await this.#play();
    }
  }

  #tick() {
    const now = performance.now();
    const { video } = this;
    // A player that was made anew has no picture yet, so it has not moved either.
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.#position = video.currentTime;
    const expected = this.#session.loaded && this.#begun && !this.#paused;
    const stillMs = this.#stalls.sample(now, this.#position, expected);
    if (stillMs > 700 && stillMs <= 700 + TICK_MS) this.#poll.ask();
    this.#session.onStill(video.ended ? Infinity : stillMs);
    const wanted = this.#session.view === 'live' && !this.#paused && !document.hidden;
    if (this.#watchdog.bites(now, this.#position, wanted)) this.#playback?.start();
    this.#ticks += 1;
    if (this.#ticks % FACTS_EVERY !== 0) return;
    this.#keepUp();
    this.#showFacts();
  }

  /** After a long stall the rate alone would take minutes: jump to where a new viewer begins. */
  #keepUp() {
    const late = this.#late();
    const jump = this.#watchdog.late(performance.now(), late !== undefined && late > BEHIND_S && !this.#stayBack);
    if (jump && this.#session.view === 'live' && !this.#paused) this.#playback?.goLive();
  }

  /** @returns {number | undefined} s behind where a new viewer would begin */
  #late() {
    const latency = this.#playback?.latency();
    return latency === undefined ? undefined : latency - (this.#playback?.target() ?? latency);
  }

  #showFacts() {
    const late = this.#late();
    showFacts(this.#elements, {
      view: this.#session.view,
      latency: this.#begun ? this.#playback?.latency() : undefined,
      behind: this.#paused || (this.#begun && late !== undefined && late > BEHIND_S),
      rendition: this.#playback?.rendition(),
      stalls: this.#stalls.stats(),
    });
    // While another playlist loads there is none for a moment: the bar stays, and who holds it keeps it.
    const timeline = this.#timeline();
    if (timeline !== undefined || !this.#session.loaded) this.#seekBar.update(timeline);
    this.#menu.update({
      renditions: this.#session.loaded ? (this.#playback?.renditions() ?? []) : [],
      rendition: this.#playback?.rendition(),
      chosen: this.#playback?.chosen(),
    });
  }

  /** @param {string} title */
  #title(title) {
    const place = document.querySelector('[data-title]');
    if (place !== null && place.textContent !== title) {
      place.textContent = title;
      document.title = `${title} – Headwater`;
    }
  }
}
