/**
 * `/watch/{streamId}`: the player, what it is doing, and how to embed it.
 */
import type { StreamId } from '../../../contracts/ids.ts';
import type { AssetPath } from './asset_version.ts';
import { embedCard } from './embed_card.ts';
import { html } from './html_text.ts';
import type { Html } from './html_text.ts';
import { pageShell, topBar } from './page_shell.ts';
import { playerSection } from './player_section.ts';

interface StreamPage {
  readonly assets: AssetPath;
  readonly origin: string;
  readonly streamId: StreamId;
}

export function streamPage({ assets, origin, streamId }: StreamPage): string {
  const body = html`${topBar()}
    <main class="stage">
      ${playerSection(streamId)}
      <div class="under">
        <h1 data-title>${streamId}</h1>
        ${facts()}
      </div>
      ${recordings()} ${embedCard(origin, streamId)} ${shortcuts()}
    </main>`;
  return pageShell({ assets, title: `${streamId} – Headwater`, bodyClass: 'page', script: 'player', body });
}

function facts(): Html {
  return html`<dl class="facts">
    ${fact('State', 'state')} ${fact('Latency', 'latency')} ${fact('Rendition', 'rendition')}
    ${fact('Stood still', 'stalls')}
  </dl>`;
}

function fact(label: string, name: string): Html {
  return html`<div class="fact">
    <dt>${label}</dt>
    <dd data-fact="${name}">–</dd>
  </div>`;
}

function recordings(): Html {
  return html`<section class="card recordings" data-recordings aria-labelledby="recordings-title" hidden>
    <h2 id="recordings-title">Recordings</h2>
    <ul></ul>
  </section>`;
}

function shortcuts(): Html {
  return html`<details class="card keys">
    <summary>Keyboard</summary>
    <dl>
      ${key(['Space', 'K'], 'play or pause')} ${key(['M'], 'sound on or off')} ${key(['F'], 'full screen')}
      ${key(['L'], 'go to live')} ${key(['S'], 'watch from the start')} ${key(['←', '→'], '10 seconds back or on')}
    </dl>
  </details>`;
}

function key(keys: readonly string[], does: string): Html {
  return html`<div>
    <dt>${keys.map((name) => html`<kbd>${name}</kbd> `)}</dt>
    <dd>${does}</dd>
  </div>`;
}
