/**
 * The card with the embed code: writes the address that this browser sees (a CDN's, HTTPS) into it, follows the name
 * in the form, and copies.
 */
import { element } from './player_elements.js';

const STREAM_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * The same text as `embed_card.ts` puts into the page.
 *
 * @param {string} origin
 * @param {string} streamId
 */
export function embedSnippet(origin, streamId) {
  return (
    `<iframe src="${origin}/embed/${streamId}" title="Live stream ${streamId}" width="640" height="360" ` +
    `allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>`
  );
}

/** Does nothing on a page without the card. */
export function startEmbedSnippet() {
  const card = document.querySelector('[data-embed-stream]');
  if (!(card instanceof HTMLElement)) return;
  const code = element(card, 'snippet', HTMLElement);
  const example = card.dataset['embedStream'] ?? '';
  code.textContent = embedSnippet(location.origin, example);
  const input = document.getElementById('stream');
  if (input instanceof HTMLInputElement) {
    input.addEventListener('input', () => {
      const entered = input.value.trim().toLowerCase();
      code.textContent = embedSnippet(location.origin, STREAM_ID.test(entered) ? entered : example);
    });
  }
  wireCopy(card, code);
}

/**
 * @param {HTMLElement} card
 * @param {HTMLElement} code
 */
function wireCopy(card, code) {
  const said = element(card, 'copy-status', HTMLElement);
  const label = element(card, 'copy-text', HTMLElement);
  const onCopy = async () => {
    const copied = await copy(code);
    label.textContent = copied ? 'Copied' : 'Selected';
    said.textContent = copied
      ? 'The embed code was copied.'
      : 'The embed code is selected: copy it with your keyboard.';
    setTimeout(() => {
      label.textContent = 'Copy';
      said.textContent = '';
    }, 2500);
  };
  element(card, 'copy', HTMLButtonElement).addEventListener('click', () => void onCopy());
}

/**
 * Without HTTPS, or when it was refused, there is no clipboard to write to: the text is then selected for the reader.
 *
 * @param {HTMLElement} code
 * @returns {Promise<boolean>}
 */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return false;
  }
}
