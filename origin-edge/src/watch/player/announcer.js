/**
 * Says aloud, politely, what the player does now (a live region), and writes it over the picture.
 */

/** @typedef {import('./live_session.js').View} View */

/** @type {Readonly<Record<View, { readonly label: string, readonly title: string, readonly text: string, readonly spoken: string }>>} */
export const VIEW_WORDS = {
  waiting: {
    label: 'Waiting',
    title: 'Waiting for the stream',
    text: 'It starts by itself as soon as it is live.',
    spoken: 'Waiting for the stream. It starts by itself.',
  },
  starting: {
    label: 'Starting',
    title: 'About to start',
    text: 'The first pictures are on their way.',
    spoken: 'The stream is about to start.',
  },
  live: { label: 'Live', title: '', text: '', spoken: 'The stream is live.' },
  interrupted: {
    label: 'Reconnecting',
    title: 'Reconnecting…',
    text: 'The broadcast was interrupted. It carries on by itself.',
    spoken: 'Reconnecting. The broadcast was interrupted.',
  },
  ended: {
    label: 'Ended',
    title: 'The stream has ended',
    text: 'The next broadcast starts here by itself.',
    spoken: 'The stream has ended. The next one starts by itself.',
  },
  recorded: { label: 'Recording', title: '', text: '', spoken: 'A recording plays.' },
  missing: {
    label: 'Not there',
    title: 'There is no such recording',
    text: 'It may have been deleted.',
    spoken: 'There is no such recording.',
  },
  refused: {
    label: 'Not open',
    title: 'This stream is not open to you',
    text: 'It needs a valid link. Ask whoever sent you this one.',
    spoken: 'This stream needs a valid link.',
  },
};

/**
 * @param {Pick<import('./player_elements.js').PlayerElements, 'section' | 'veilTitle' | 'veilText' | 'announce'>} elements
 * @param {View} view
 */
export function announceView(elements, view) {
  const words = VIEW_WORDS[view];
  elements.section.dataset['state'] = view;
  elements.veilTitle.textContent = words.title;
  elements.veilText.textContent = words.text;
  elements.announce.textContent = words.spoken;
}
