/**
 * The seek bar and the button that goes back to the start: where the viewer is in what can be watched, in seconds.
 */

/** @typedef {import('./player_elements.js').PlayerElements} PlayerElements */

/**
 * What can be watched, s on one time line.
 *
 * @typedef {object} Timeline
 * @property {number} start
 * @property {number} end
 * @property {number} position
 * @property {boolean} live the end is the live edge
 */

/** As close to the end as this counts as live, s. */
const LIVE_WITHIN_S = 8;

export class SeekBar {
  #elements;
  /** The viewer holds the thumb: it stays where they put it. */
  #held = false;
  /** @type {Timeline | undefined} */
  #timeline;

  /**
   * @param {PlayerElements} elements
   * @param {(seconds: number) => void} seek to a position of the time line
   */
  constructor(elements, seek) {
    this.#elements = elements;
    const { seek: bar, fromStart } = elements;
    bar.addEventListener('input', () => {
      this.#held = true;
      this.#say(Number(bar.value));
    });
    bar.addEventListener('change', () => {
      this.#held = false;
      seek(Number(bar.value));
    });
    bar.addEventListener('blur', () => {
      this.#held = false;
    });
    fromStart.addEventListener('click', () => this.#timeline !== undefined && seek(this.#timeline.start));
  }

  /** @param {Timeline | undefined} timeline undefined: there is nothing to go back in */
  update(timeline) {
    const { seekRow, seek, fromStart } = this.#elements;
    const shown = timeline !== undefined && timeline.end - timeline.start > 1;
    this.#timeline = shown ? timeline : undefined;
    seekRow.hidden = !shown;
    fromStart.hidden = !shown;
    if (!shown || this.#held) return;
    seek.min = String(Math.floor(timeline.start));
    seek.max = String(Math.max(1, Math.floor(timeline.end)));
    seek.value = String(Math.round(timeline.position));
    this.#say(timeline.position);
  }

  /** @param {number} position */
  #say(position) {
    const timeline = this.#timeline;
    if (timeline === undefined) return;
    const { seek, time } = this.#elements;
    const { start, end, live } = timeline;
    const part = end > start ? (position - start) / (end - start) : 0;
    seek.style.setProperty('--filled', `${Math.min(100, Math.max(0, part * 100)).toFixed(1)}%`);
    const text = positionText(timeline, position);
    seek.setAttribute('aria-valuetext', text);
    const shown = isAtEdge(timeline, position) ? clock(end - start) : text;
    time.textContent = live ? shown : `${clock(position - start)} / ${clock(end - start)}`;
  }
}

/**
 * @param {Timeline} timeline
 * @param {number} position
 */
export function isAtEdge({ end, live }, position) {
  return live && end - position <= LIVE_WITHIN_S;
}

/**
 * @param {Timeline} timeline
 * @param {number} position
 * @returns {string} such as `12:05 of 1:30:00`, `−3:20` behind live, or `live`
 */
export function positionText(timeline, position) {
  const { start, end, live } = timeline;
  if (isAtEdge(timeline, position)) return 'live';
  return live ? `−${clock(end - position)}` : `${clock(position - start)} of ${clock(end - start)}`;
}

/**
 * @param {number} seconds
 * @returns {string} `m:ss`, or `h:mm:ss`
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}
