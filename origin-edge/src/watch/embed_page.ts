/**
 * `/embed/{streamId}`: the player alone, filling the frame that it is put into.
 */
import type { StreamId } from '../../../contracts/ids.ts';
import type { AssetPath } from './asset_version.ts';
import { html } from './html_text.ts';
import { pageShell } from './page_shell.ts';
import { playerSection } from './player_section.ts';

export function embedPage({ assets, streamId }: { readonly assets: AssetPath; readonly streamId: StreamId }): string {
  const body = html`<main class="frame">
    <h1 class="visually-hidden" data-title>${streamId}</h1>
    ${playerSection(streamId)}
  </main>`;
  return pageShell({ assets, title: `${streamId} – Headwater`, bodyClass: 'embedded', script: 'player', body });
}
