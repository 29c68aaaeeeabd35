/**
 * The watch page's files for runtimes with a file system (Node, Deno): read once, kept in memory, gzip ready.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { WATCH_ASSET_NAMES } from '../src/watch/asset_version.ts';
import type { WatchAsset } from '../src/watch/watch_routes.ts';

const CONTENT_TYPE: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** hls.js's own build with everything in it: CMCD and separate audio are not in the light one. */
const HLS = 'hls.min.js';

/**
 * Loads all files; hls.js from where the package manager put it, the others from beside the pages.
 * @param read how to read a file; injected by tests
 * @throws the file system's error when one is missing
 */
export async function loadWatchAssets(
  read: (path: string) => Promise<Uint8Array> = readFile,
): Promise<(name: string) => Promise<WatchAsset | undefined>> {
  const compress = promisify(gzip);
  const files = new Map<string, WatchAsset>();
  await Promise.all(
    WATCH_ASSET_NAMES.map(async (name) => {
      const url =
        name === HLS
          ? import.meta.resolve(`hls.js/dist/${HLS}`)
          : new URL(`../src/watch/player/${name}`, import.meta.url);
      const body = await read(fileURLToPath(url));
      const contentType = CONTENT_TYPE[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
      files.set(name, { body, contentType, gzip: await compress(body) });
    }),
  );
  return (name) => Promise.resolve(files.get(name));
}
