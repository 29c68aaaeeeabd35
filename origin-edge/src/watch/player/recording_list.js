/**
 * The stream's recordings under the player, where a page has a place for them.
 */

/** @typedef {{ readonly sessionId: string, readonly startedAt: string }} Recording */

/**
 * @param {readonly Recording[]} recordings newest first
 * @param {(sessionId: string) => string} pageOf the address of the page that plays it
 */
export function listRecordings(recordings, pageOf) {
  const card = document.querySelector('[data-recordings]');
  const list = card?.querySelector('ul');
  if (!(card instanceof HTMLElement) || list === null || list === undefined) return;
  const drawn = recordings.map(({ sessionId }) => sessionId).join(' ');
  if (list.dataset['drawn'] === drawn) return;
  list.dataset['drawn'] = drawn;
  card.hidden = recordings.length === 0;
  list.replaceChildren(
    ...recordings.map(({ sessionId, startedAt }) => {
      const link = document.createElement('a');
      link.href = pageOf(sessionId);
      link.textContent = new Date(startedAt).toLocaleString(undefined, { dateStyle: 'long', timeStyle: 'short' });
      const item = document.createElement('li');
      item.append(link);
      return item;
    }),
  );
}
