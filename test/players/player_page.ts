/**
 * Pages with a player that is not ours, as it comes, in Chromium: for what players do with our playlists.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { launchBrowser } from '../watch/launch_browser.ts';

export const PLAYERS = ['hls.js', 'shaka', 'video.js', 'native'] as const;
export type PlayerName = (typeof PLAYERS)[number];

const SCRIPTS: Readonly<Record<PlayerName, string | undefined>> = {
  'hls.js': 'hls.js/dist/hls.min.js',
  shaka: 'shaka-player/dist/shaka-player.compiled.js',
  'video.js': 'video.js/dist/video.min.js',
  native: undefined,
};

/** Each sets `window.errors` and plays `url` in the page's video element. */
function start(player: PlayerName, url: string): string {
  const source = JSON.stringify(url);
  if (player === 'hls.js') {
    return `const hls = new Hls(); hls.on(Hls.Events.ERROR, (_, data) => errors.push((data.fatal ? 'fatal ' : '') + data.details));
      hls.loadSource(${source}); hls.attachMedia(video); video.play();`;
  }
  if (player === 'shaka') {
    return `shaka.polyfill.installAll(); const shakaPlayer = new shaka.Player();
      shakaPlayer.addEventListener('error', (event) => errors.push((event.detail.severity === 2 ? 'fatal ' : '') + event.detail.code));
      shakaPlayer.attach(video).then(() => shakaPlayer.load(${source})).then(() => video.play(), (error) => errors.push('fatal ' + error.code));`;
  }
  if (player === 'video.js') {
    return `const vjs = videojs(video, { muted: true, html5: { vhs: { overrideNative: true } } });
      vjs.on('error', () => errors.push('fatal ' + vjs.error().message));
      vjs.src({ src: ${source}, type: 'application/vnd.apple.mpegurl' }); vjs.play();`;
  }
  return `video.onerror = () => errors.push('fatal ' + video.error.message); video.src = ${source}; video.play();`;
}

export interface PlayerTab {
  readonly page: Page;
  readonly errors: () => Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Opens Chromium with one player on `url`, from an origin of its own. */
export async function openPlayer(player: PlayerName, url: string): Promise<PlayerTab> {
  const script = SCRIPTS[player];
  const code =
    script === undefined ? '' : await readFile(new URL(`../../node_modules/${script}`, import.meta.url), 'utf8');
  const html = `<!doctype html><video muted playsinline></video><script src="/player.js"></script>
    <script>window.errors = []; const video = document.querySelector('video'); ${start(player, url)}</script>`;
  const site = createServer((request, response) => {
    const isScript = request.url === '/player.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html').end(isScript ? code : html);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const browser = await launchBrowser();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  return {
    page,
    errors: () => page.evaluate<string[]>('window.errors'),
    close: async () => {
      await browser.close();
      site.close();
    },
  };
}

/** Watches the clock of the page's video: gives the longest time in ms that it stood still, and where it stands now, s. */
export const WATCH_CLOCK = `(() => {
  const video = document.querySelector('video');
  const watch = { longestMs: 0, last: video.currentTime, movedAt: performance.now() };
  setInterval(() => {
    const now = performance.now();
    if (video.currentTime !== watch.last) { watch.last = video.currentTime; watch.movedAt = now; }
    watch.longestMs = Math.max(watch.longestMs, now - watch.movedAt);
  }, 50);
  window.clockWatch = watch;
})()`;
