/**
 * The player's elements. `player/player_elements.js` finds them by their `data-` names; what is shown follows from
 * `data-state` on the section.
 */
import type { StreamId } from '../../../contracts/ids.ts';
import { html } from './html_text.ts';
import type { Html } from './html_text.ts';
import { icon } from './icons.ts';

export function playerSection(streamId: StreamId): Html {
  return html`<section class="player" data-player data-stream="${streamId}" data-state="waiting" aria-label="Player">
    <video data-video playsinline preload="none"></video>
    <div class="veil" data-veil>
      <div class="spinner" data-spinner></div>
      <p class="veil-title" data-veil-title>Waiting for the stream</p>
      <p class="veil-text" data-veil-text>It starts by itself as soon as it is live.</p>
    </div>
    <button type="button" class="big-play" data-big-play hidden aria-label="Play">${icon('play')}</button>
    <button type="button" class="unmute" data-unmute hidden>${icon('muted')}<span>Unmute</span></button>
    ${controlBar()}
    <p class="visually-hidden" role="status" aria-live="polite" data-announce></p>
    <noscript><p class="veil-title">This page needs JavaScript to play.</p></noscript>
  </section>`;
}

function controlBar(): Html {
  return html`<div class="bar" data-bar role="group" aria-label="Playback controls">
    <div class="seek-row" data-seek-row hidden>
      <input type="range" class="seek" data-seek min="0" max="1" step="1" value="0" aria-label="Position" />
      <span class="time" data-time aria-hidden="true"></span>
    </div>
    <button type="button" class="control" data-play aria-label="Play" aria-keyshortcuts="k Space">
      ${icon('play', 'when-paused')}${icon('pause', 'when-playing')}
    </button>
    <button type="button" class="control" data-mute aria-label="Mute" aria-keyshortcuts="m">
      ${icon('sound', 'when-sound')}${icon('muted', 'when-muted')}
    </button>
    <input type="range" class="volume" data-volume min="0" max="100" step="5" value="100" aria-label="Volume" />
    <button
      type="button"
      class="control"
      data-from-start
      aria-label="Watch from the start"
      aria-keyshortcuts="s"
      hidden
    >
      ${icon('restart')}
    </button>
    <button type="button" class="live" data-live aria-keyshortcuts="l">
      <span class="dot" aria-hidden="true"></span><span data-live-text>Offline</span
      ><span class="latency" data-latency></span>
    </button>
    <span class="stall" data-stall hidden></span>
    <span class="push"></span>
    <div class="menu-holder" data-quality-holder>
      <button
        type="button"
        class="control wide"
        data-quality
        aria-label="Quality: Auto"
        aria-haspopup="menu"
        aria-expanded="false"
        aria-controls="quality-menu"
        disabled
      >
        ${icon('quality')}<span data-quality-text>Auto</span>
      </button>
      <div class="menu" id="quality-menu" data-quality-menu role="menu" aria-label="Quality" hidden></div>
    </div>
    <button type="button" class="control" data-pip aria-label="Picture in picture" hidden>${icon('pip')}</button>
    <button type="button" class="control" data-full aria-label="Full screen" aria-keyshortcuts="f" hidden>
      ${icon('full', 'when-windowed')}${icon('unfull', 'when-full')}
    </button>
  </div>`;
}
