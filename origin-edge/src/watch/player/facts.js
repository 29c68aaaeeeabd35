/**
 * What the player is doing, in numbers: on the control bar, and in the list under the player where a page has one.
 */
import { VIEW_WORDS } from './announcer.js';
import { clock } from './seek_bar.js';

/** A stall shorter than this is nobody's concern, ms. */
const WORTH_TELLING_MS = 1000;

/**
 * @typedef {object} PlayerFacts
 * @property {import('./live_session.js').View} view
 * @property {number | undefined} latency s
 * @property {boolean} behind the viewer watches from further back than the live edge
 * @property {string | undefined} rendition
 * @property {import('./stall_clock.js').StallStats} stalls
 */

/**
 * @param {number} ms
 * @returns {string}
 */
export function secondsOf(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/**
 * @param {number} seconds
 * @returns {string} minutes from one minute on: nobody counts a rewind in seconds
 */
function latencyText(seconds) {
  return seconds < 60 ? secondsOf(seconds * 1000) : clock(seconds);
}

/**
 * @param {Pick<import('./player_elements.js').PlayerElements, 'play' | 'live' | 'liveText' | 'latency' | 'stall' | 'section'>} elements
 * @param {PlayerFacts} facts
 */
export function showFacts(elements, facts) {
  const { view, behind, stalls } = facts;
  const onAir = view === 'live' || view === 'interrupted';
  const recorded = view === 'recorded';
  const latency = view === 'live' && facts.latency !== undefined ? latencyText(facts.latency) : '';
  elements.section.dataset['behind'] = String(behind);
  elements.play.disabled = !onAir && !recorded;
  elements.live.disabled = !onAir && !recorded && view !== 'missing';
  const leadsToLive = (view === 'live' && behind) || recorded || view === 'missing';
  write(elements.liveText, leadsToLive ? 'Go to live' : VIEW_WORDS[view].label);
  write(elements.latency, latency);
  const stood = stalls.longestMs >= WORTH_TELLING_MS;
  elements.stall.hidden = !stood || !onAir;
  write(elements.stall, stood ? `stood still ${secondsOf(stalls.lastMs)}` : '');
  list('state', VIEW_WORDS[view].label);
  list('latency', latency);
  list('rendition', onAir || recorded ? (facts.rendition ?? '') : '');
  list('stalls', stood ? stalledFor(stalls) : 'never');
}

/**
 * @param {import('./stall_clock.js').StallStats} stalls
 * @returns {string}
 */
function stalledFor({ count, totalMs }) {
  return count === 1 ? secondsOf(totalMs) : `${secondsOf(totalMs)} in ${count} stops`;
}

/**
 * @param {string} name
 * @param {string} text
 */
function list(name, text) {
  const place = document.querySelector(`[data-fact="${name}"]`);
  if (place !== null) write(place, text === '' ? '–' : text);
}

/**
 * Leaves a text alone that is already there: a reader may be selecting it.
 *
 * @param {Element} place
 * @param {string} text
 */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
