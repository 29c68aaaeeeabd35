/**
 * What all pages have in common: the document, its head with the style sheets and the icon, and the top bar.
 */
import type { AssetPath } from './asset_version.ts';
import { html } from './html_text.ts';
import type { Html } from './html_text.ts';
import { icon, iconSprite } from './icons.ts';

interface PageShell {
  readonly assets: AssetPath;
  readonly title: string;
  readonly bodyClass: string;
  /** The module that the page runs and whether it plays. */
  readonly script: 'player' | 'snippet' | 'none';
  readonly body: Html;
}

const STYLES = ['page.css', 'player.css', 'controls.css'] as const;

/** A whole document. */
export function pageShell(page: PageShell): string {
  const { assets } = page;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
        <meta name="color-scheme" content="light dark" />
        <title>${page.title}</title>
        <link rel="icon" type="image/svg+xml" href="${assets('icon.svg')}" />
        ${STYLES.map((name) => html`<link rel="stylesheet" href="${assets(name)}" />`)} ${scripts(page)}
      </head>
      <body class="${page.bodyClass}">
        ${iconSprite()} ${page.body}
      </body>
    </html> `.text;
}

/** hls.js is a classic script that sets `Hls`; deferred scripts and modules run in the order of the document. */
function scripts({ assets, script }: PageShell): Html | undefined {
  if (script === 'none') return undefined;
  if (script === 'snippet') return html`<script type="module" src="${assets('front.js')}"></script>`;
  return html`<script defer src="${assets('hls.min.js')}"></script>
    <script type="module" src="${assets('main.js')}"></script>`;
}

/** The bar on top of the pages that stand alone. */
export function topBar(): Html {
  return html`<header class="top">
    <a class="wordmark" href="/watch">${icon('wave')}<span>Headwater</span></a>
  </header>`;
}
