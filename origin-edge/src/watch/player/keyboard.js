/**
 * The player's keys: space or k, m, f, l, s, and the arrows. They work while the focus is on the player or on nothing at all, never while
 * something else on the page has it (WCAG 2.2, 2.1.4).
 */

/** @typedef {'play' | 'mute' | 'full' | 'live' | 'start' | 'back' | 'forward'} PlayerAction */

/** @type {ReadonlyMap<string, PlayerAction>} */
const ACTION = new Map([
  [' ', 'play'],
  ['k', 'play'],
  ['m', 'mute'],
  ['f', 'full'],
  ['l', 'live'],
  ['s', 'start'],
  ['arrowleft', 'back'],
  ['arrowright', 'forward'],
]);

/**
 * @param {object} pressed
 * @param {string} pressed.key
 * @param {boolean} pressed.modified with Control, Alt or Meta
 * @param {'nothing' | 'player' | 'button' | 'menu' | 'slider' | 'elsewhere'} pressed.focus
 * @returns {PlayerAction | undefined}
 */
export function actionOfKey({ key, modified, focus }) {
  if (modified || focus === 'elsewhere' || focus === 'menu') return undefined;
  // On a button the space bar presses that button.
  if (key === ' ' && focus === 'button') return undefined;
  // On a slider the arrows move that slider.
  if (focus === 'slider' && key.startsWith('Arrow')) return undefined;
  return ACTION.get(key.toLowerCase());
}

/**
 * @param {HTMLElement} section the player
 * @param {(action: PlayerAction) => void} act
 */
export function listenToKeys(section, act) {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.repeat) return;
    const modified = event.ctrlKey || event.altKey || event.metaKey;
    const action = actionOfKey({ key: event.key, modified, focus: focusOf(section, event.target) });
    if (action === undefined) return;
    event.preventDefault();
    act(action);
  });
}

/**
 * @param {HTMLElement} section
 * @param {EventTarget | null} target
 */
function focusOf(section, target) {
  if (target === document.body || target === document.documentElement) return 'nothing';
  if (!(target instanceof HTMLElement) || !section.contains(target)) return 'elsewhere';
  if (target.closest('[role=menu]') !== null) return 'menu';
  if (target instanceof HTMLButtonElement) return 'button';
  return target instanceof HTMLInputElement ? 'slider' : 'player';
}
