/**
 * The files that the pages load, and the version in their path: a digest of all of them, so that a changed file is a
 * new URL, and modules that import each other by relative path always come from one version.
 */

/** Every file that the pages may ask for. `hls.min.js` is hls.js's own build, the rest stands in `player/`. */
export const WATCH_ASSET_NAMES = [
  'announcer.js',
  'controls.css',
  'controls.js',
  'embed_snippet.js',
  'facts.js',
  'front.js',
  'hls.min.js',
  'hls_playback.js',
  'hls_settings.js',
  'icon.svg',
  'keyboard.js',
  'live_session.js',
  'main.js',
  'native_playback.js',
  'page.css',
  'player.css',
  'player.js',
  'player_elements.js',
  'quality_menu.js',
  'recorded_session.js',
  'recording_list.js',
  'retry_delay.js',
  'seek_bar.js',
  'stall_clock.js',
  'status_poll.js',
  'stream_urls.js',
  'watchdog.js',
] as const;

/** The path of one file, such as `/watch/assets/3f9c…/main.js`. */
export type AssetPath = (name: (typeof WATCH_ASSET_NAMES)[number]) => string;

export function assetPath(version: string): AssetPath {
  return (name) => `/watch/assets/${version}/${name}`;
}

/**
 * Sixteen hexadecimal digits over the names and bytes of all files.
 * @throws Error naming the first file that is missing
 */
export async function versionOfAssets(
  assets: (name: string) => Promise<{ readonly body: Uint8Array } | undefined>,
): Promise<string> {
  const digests: string[] = [];
  for (const name of WATCH_ASSET_NAMES) {
    const found = await assets(name);
    if (found === undefined) throw new Error(`the watch page's file ${name} is missing`);
    digests.push(`${name} ${await sha256(found.body)}`);
  }
  return (await sha256(new TextEncoder().encode(digests.join('\n')))).slice(0, 16);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
