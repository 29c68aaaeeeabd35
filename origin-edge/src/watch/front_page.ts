/**
 * `/watch`: enter the name of a stream to see it, or take the HTML that embeds it.
 */
import type { AssetPath } from './asset_version.ts';
import { embedCard } from './embed_card.ts';
import { html } from './html_text.ts';
import type { Html } from './html_text.ts';
import { icon } from './icons.ts';
import { pageShell, topBar } from './page_shell.ts';

interface FrontPage {
  readonly assets: AssetPath;
  readonly origin: string;
  /** What was entered and is not the name of a stream. */
  readonly refused: string | undefined;
}

/** The stream that a first start of the one-machine run publishes. */
const EXAMPLE = 'demo';

export function frontPage({ assets, origin, refused }: FrontPage): string {
  const body = html`${topBar()}
    <main class="front">
      <h1>Watch a live stream</h1>
      <p class="lead">Enter the name of a stream. If it is not live yet, the page waits and starts by itself.</p>
      ${streamForm(refused)} ${embedCard(origin, EXAMPLE)}
    </main>`;
  return pageShell({ assets, title: 'Watch a live stream – Headwater', bodyClass: 'page', script: 'snippet', body });
}

/** Works without scripts: `GET /watch?stream=…` leads to the stream's page. */
function streamForm(refused: string | undefined): Html {
  const wrong = refused !== undefined && refused !== '';
  const state = wrong
    ? html` aria-invalid="true" aria-describedby="stream-error stream-hint"`
    : html` aria-describedby="stream-hint"`;
  return html`<form class="card go" action="/watch" method="get">
    <label for="stream">Stream name</label>
    <div class="go-row">
      <input
        id="stream"
        name="stream"
        value="${wrong ? refused.slice(0, 64) : ''}"
        placeholder="${EXAMPLE}"
        maxlength="64"
        required
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        ${state}
      />
      <button type="submit" class="button">Watch ${icon('arrow')}</button>
    </div>
    ${wrong ? html`<p class="error" id="stream-error" role="alert">That is not the name of a stream.</p>` : undefined}
    <p class="hint" id="stream-hint">Lower-case letters, digits, hyphens and underscores.</p>
  </form>`;
}
