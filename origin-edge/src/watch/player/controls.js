/**
 * The control bar: play, sound, live, picture in picture, full screen; and when it is seen.
 */

/** @typedef {import('./player_elements.js').PlayerElements} PlayerElements */

/** Without a movement of the pointer the bar leaves a playing picture after this, ms. */
const IDLE_MS = 3000;

/**
 * @typedef {object} ControlActions
 * @property {() => void} togglePlay
 * @property {() => void} goLive
 */

export class Controls {
  #elements;
  #actions;
  /** @type {number | undefined} */
  #idle;

  /**
   * @param {PlayerElements} elements
   * @param {ControlActions} actions
   */
  constructor(elements, actions) {
    this.#elements = elements;
    this.#actions = actions;
    this.#wireButtons();
    this.#wireSound();
    this.#wireBar();
    const { video } = elements;
    for (const name of ['play', 'pause', 'playing', 'ended', 'emptied']) {
      video.addEventListener(name, () => this.update());
    }
    this.update();
  }

  toggleMute() {
    const { video } = this.#elements;
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 1;
  }

  toggleFull() {
    const { section, video } = this.#elements;
    if (document.fullscreenElement !== null) void document.exitFullscreen();
    else if (document.fullscreenEnabled) void section.requestFullscreen();
    else /** @type {{ webkitEnterFullscreen?: () => void }} */ (video).webkitEnterFullscreen?.();
  }

  /** Puts the state of the video on the buttons. */
  update() {
    const { video, section, play, mute, volume, unmute } = this.#elements;
    const playing = !video.paused && !video.ended;
    section.dataset['playing'] = String(playing);
    play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    const silent = video.muted || video.volume === 0;
    section.dataset['silent'] = String(silent);
    mute.setAttribute('aria-label', silent ? 'Unmute' : 'Mute');
    const percent = silent ? 0 : Math.round(video.volume * 100);
    volume.value = String(percent);
    volume.style.setProperty('--filled', `${percent}%`);
    if (!silent) unmute.hidden = true;
  }

  #wireButtons() {
    const { play, bigPlay, live, full, pip, video, section } = this.#elements;
    play.addEventListener('click', () => this.#actions.togglePlay());
    bigPlay.addEventListener('click', () => this.#actions.togglePlay());
    live.addEventListener('click', () => this.#actions.goLive());
    full.hidden = !document.fullscreenEnabled && !('webkitEnterFullscreen' in video);
    full.addEventListener('click', () => this.toggleFull());
    document.addEventListener('fullscreenchange', () => {
      const isFull = document.fullscreenElement === section;
      section.dataset['full'] = String(isFull);
      full.setAttribute('aria-label', isFull ? 'Leave full screen' : 'Full screen');
    });
    pip.hidden = !document.pictureInPictureEnabled;
    pip.addEventListener('click', () => {
      if (document.pictureInPictureElement === video) void document.exitPictureInPicture();
      else if (video.readyState > 0) void video.requestPictureInPicture();
    });
  }

  #wireSound() {
    const { video, mute, volume, unmute } = this.#elements;
    mute.addEventListener('click', () => this.toggleMute());
    unmute.addEventListener('click', () => {
      video.muted = false;
      mute.focus();
    });
    volume.addEventListener('input', () => {
      video.volume = Number(volume.value) / 100;
      video.muted = video.volume === 0;
    });
    video.addEventListener('volumechange', () => this.update());
  }

  /** A mouse shows the bar by moving, a finger by touching the picture; a click on the picture plays or pauses. */
  #wireBar() {
    const { section, video } = this.#elements;
    section.addEventListener('pointermove', (event) => event.pointerType === 'mouse' && this.#awake());
    section.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && this.#asleep());
    section.addEventListener('keydown', () => this.#awake());
    section.addEventListener('focusin', () => this.#awake());
    video.addEventListener('pointerup', (event) => {
      if (event.pointerType !== 'mouse') {
        if (section.dataset['idle'] === 'true') this.#awake();
        else this.#asleep();
      } else if (event.button === 0) {
        this.#actions.togglePlay();
      }
    });
    this.#awake();
  }

  #awake() {
    this.#elements.section.dataset['idle'] = 'false';
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#asleep(), IDLE_MS);
  }

  #asleep() {
    this.#elements.section.dataset['idle'] = 'true';
  }
}
