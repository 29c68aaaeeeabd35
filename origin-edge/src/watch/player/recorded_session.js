/**
 * The life of a page that plays a recording: it begins at once, and ends only when there is no such recording or it is
 * not open to the viewer. It stands where `LiveSession` stands for a live stream.
 */

/** @typedef {import('./live_session.js').View} View */

export class RecordedSession {
  /** @type {import('./live_session.js').SessionActions} */
  #actions;
  /** @type {View} */
  #view = 'waiting';
  #loaded = false;

  /** @param {import('./live_session.js').SessionActions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /** @returns {View} */
  get view() {
    return this.#view;
  }

  get loaded() {
    return this.#loaded;
  }

  begin() {
    this.#loaded = true;
    this.#actions.start();
    this.#show('recorded');
  }

  /** @param {number} status of the answer to the first playlist */
  onUnplayable(status) {
    this.#loaded = false;
    this.#actions.stop();
    this.#show(status === 404 ? 'missing' : 'refused');
  }

  /** A live stream's status says nothing of its recordings. */
  onStatus() {}

  /** As little as its refusal. */
  onRefused() {}

  /** The last picture stands. */
  onPlaybackEnded() {}

  /** However long. */
  onStill() {}

  /** @param {View} view */
  #show(view) {
    this.#view = view;
    this.#actions.show(view);
  }
}
