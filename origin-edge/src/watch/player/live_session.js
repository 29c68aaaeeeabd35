/**
 * Decides what the page does, from what the status says and from what the picture does: wait, play, stand by while the
 * publisher is away, end, and begin again with the stream's next session. It touches neither the page nor the network.
 */

/** @typedef {'waiting' | 'starting' | 'live' | 'interrupted' | 'ended' | 'refused' | 'recorded' | 'missing'} View */

/**
 * What the page reads of `/{streamId}/status.json` (contracts/status.ts).
 *
 * @typedef {object} Status
 * @property {'starting' | 'live' | 'interrupted' | 'ended'} state
 * @property {string} [sessionId]
 * @property {string} [title]
 * @property {number} [startedAtMs] Unix time
 * @property {readonly import('./recording_list.js').Recording[]} [recordings] newest first
 */

/**
 * @typedef {object} SessionActions
 * @property {() => void} start load the stream's playlist, whatever played before
 * @property {() => void} stop unload it
 * @property {(view: View) => void} show called only when the view changes
 */

/** The status says that it is over: the last seconds still play, until the picture has stood still for this long, ms. */
const RUN_OUT_MS = 2000;

export class LiveSession {
  /** @type {SessionActions} */
  #actions;
  /** @type {View} */
  #view = 'waiting';
  /** The session that is loaded. @type {{ readonly id: string | undefined } | undefined} */
  #loaded;
  /** The session whose playlist has ended, while a status that is a moment old may still call it live. */
  #over = false;
  /** @type {string | undefined} */
  #lastId;
  #finishing = false;

  /** @param {SessionActions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /** @returns {View} */
  get view() {
    return this.#view;
  }

  /** True while a playlist is loaded. */
  get loaded() {
    return this.#loaded !== undefined;
  }

  /** @param {Status | undefined} status undefined: there is no such stream now */
  onStatus(status) {
    if (status?.state === 'live' || status?.state === 'interrupted') this.#onAir(status, status.state);
    else this.#offAir(status?.state);
  }

  /** The status was refused (401 or 403). What plays goes on for as long as its own requests are answered. */
  onRefused() {
    if (this.#loaded === undefined) this.#show('refused');
  }

  /** The playlist has ended and its last picture was shown. */
  onPlaybackEnded() {
    if (this.#loaded !== undefined) this.#end(true);
  }

  /** @param {number} stillMs for how long the picture has stood still; 0 when it moves or is not expected to */
  onStill(stillMs) {
    if (this.#finishing && stillMs > RUN_OUT_MS) this.#end(false);
  }

  /**
   * @param {Status} status
   * @param {'live' | 'interrupted'} state
   */
  #onAir(status, state) {
    if (this.#over && status.sessionId === this.#lastId) return;
    this.#over = false;
    this.#finishing = false;
    if (this.#loaded === undefined || this.#loaded.id !== status.sessionId) {
      this.#loaded = { id: status.sessionId };
      this.#lastId = status.sessionId;
      this.#actions.start();
    }
    this.#show(state);
  }

  /** @param {'starting' | 'ended' | undefined} state */
  #offAir(state) {
    this.#over = false;
    if (this.#loaded !== undefined) {
      this.#finishing = true;
      return;
    }
    if (state === 'starting') this.#show('starting');
    else if (state === 'ended') this.#show('ended');
    else if (this.#view !== 'ended') this.#show('waiting');
  }

  /** @param {boolean} byPlaylist */
  #end(byPlaylist) {
    this.#loaded = undefined;
    this.#finishing = false;
    this.#over = byPlaylist;
    this.#actions.stop();
    this.#show('ended');
  }

  /** @param {View} view */
  #show(view) {
    if (view === this.#view) return;
    this.#view = view;
    this.#actions.show(view);
  }
}
