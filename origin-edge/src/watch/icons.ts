/**
 * The icons of the pages: one hidden sprite in each page, drawn by hand on a 24-unit grid, used by name.
 */
import { Html, html } from './html_text.ts';

const DRAWING = {
  play: '<path d="M8 5.3v13.4c0 .8.9 1.3 1.6.9l10.2-6.7c.6-.4.6-1.3 0-1.7L9.6 4.4C8.9 4 8 4.5 8 5.3z" fill="currentColor"/>',
  pause: '<path d="M7.5 5v14M16.5 5v14" stroke-width="4"/>',
  sound:
    '<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" fill="currentColor"/><path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11"/>',
  muted: '<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" fill="currentColor"/><path d="m16 9.5 5 5m0-5-5 5"/>',
  restart: '<path d="M5 5v14M19 6.2v11.6c0 .8-.9 1.3-1.6.8L9 12.8a1 1 0 0 1 0-1.6l8.4-5.8c.7-.5 1.6 0 1.6.8z"/>',
  quality: '<path d="M4 7h8m5 0h3M4 17h3m5 0h8"/><circle cx="14.5" cy="7" r="2.5"/><circle cx="9.5" cy="17" r="2.5"/>',
  pip: '<rect x="3" y="5" width="18" height="14" rx="2"/><rect x="12" y="11.5" width="6.5" height="5" rx="1" fill="currentColor" stroke="none"/>',
  full: '<path d="M9 4H5a1 1 0 0 0-1 1v4m11-5h4a1 1 0 0 1 1 1v4M9 20H5a1 1 0 0 1-1-1v-4m11 5h4a1 1 0 0 0 1-1v-4"/>',
  unfull: '<path d="M4 9h4a1 1 0 0 0 1-1V4m11 5h-4a1 1 0 0 1-1-1V4M4 15h4a1 1 0 0 1 1 1v4m11-5h-4a1 1 0 0 0-1 1v4"/>',
  check: '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
  copy: '<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2"/><path d="M15.5 8.5V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7.5a2 2 0 0 0 2 2h2.5"/>',
  arrow: '<path d="M5 12h14m-6-6 6 6-6 6"/>',
  wave: '<path d="M2.5 9.5c3.2-4 6.3-4 9.5 0s6.3 4 9.5 0M2.5 16c3.2-4 6.3-4 9.5 0s6.3 4 9.5 0" stroke-width="2.6"/>',
} as const;

export type IconName = keyof typeof DRAWING;

/** The sprite that a page carries once, before the first icon is used. */
export function iconSprite(): Html {
  const symbols = Object.entries(DRAWING).map(
    ([name, drawing]) =>
      new Html(
        `<symbol id="i-${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${drawing}</symbol>`,
      ),
  );
  return html`<svg class="sprite" aria-hidden="true" width="0" height="0">${symbols}</svg>`;
}

/** One icon; what it means is said by the text or label of the control that holds it. */
export function icon(name: IconName, className?: string): Html {
  return html`<svg class="icon ${className}" aria-hidden="true" focusable="false"><use href="#i-${name}"></use></svg>`;
}
