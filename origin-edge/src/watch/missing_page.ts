/**
 * What stands at an address that cannot be a stream's.
 */
import type { AssetPath } from './asset_version.ts';
import { html } from './html_text.ts';
import { pageShell, topBar } from './page_shell.ts';

export function missingPage({ assets }: { readonly assets: AssetPath }): string {
  const body = html`${topBar()}
    <main class="front">
      <h1>No such stream</h1>
      <p class="lead">A stream’s name has lower-case letters, digits, hyphens and underscores only.</p>
      <p><a class="button" href="/watch">Enter another name</a></p>
    </main>`;
  return pageShell({ assets, title: 'No such stream – Headwater', bodyClass: 'page', script: 'none', body });
}
