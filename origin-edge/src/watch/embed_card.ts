/**
 * The card with the HTML that puts a stream's player on another page, and the button that copies it.
 */
import { html } from './html_text.ts';
import type { Html } from './html_text.ts';
import { icon } from './icons.ts';

/** The snippet itself; `player/embed_snippet.js` writes the same text for the address that the browser sees. */
export function embedSnippet(origin: string, streamId: string): string {
  return (
    `<iframe src="${origin}/embed/${streamId}" title="Live stream ${streamId}" width="640" height="360" ` +
    `allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>`
  );
}

/** @param streamId what stands in the snippet until the reader enters another one */
export function embedCard(origin: string, streamId: string): Html {
  return html`<section class="card embed" aria-labelledby="embed-title" data-embed-stream="${streamId}">
    <div class="card-head">
      <h2 id="embed-title">Embed this stream</h2>
      <button type="button" class="button quiet" data-copy>${icon('copy')}<span data-copy-text>Copy</span></button>
    </div>
    <p class="hint">Paste this into a page of yours. The player fills the frame and starts by itself.</p>
    <pre
      class="snippet"
      tabindex="0"
      role="region"
      aria-label="Embed code"
    ><code data-snippet>${embedSnippet(origin, streamId)}</code></pre>
    <p class="visually-hidden" role="status" data-copy-status></p>
  </section>`;
}
