/**
 * Gathers the watch page's files for the Workers bundle, where there is no file system: wrangler's build step.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { WATCH_ASSET_NAMES } from '../src/watch/asset_version.ts';
import { loadWatchAssets } from './watch_assets.ts';

const folder = fileURLToPath(new URL('../../.out/worker_assets/', import.meta.url));

const assets = await loadWatchAssets();
const lines: string[] = [];
const entries: string[] = [];
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const [index, name] of WATCH_ASSET_NAMES.entries()) {
  const asset = await assets(name);
  if (asset === undefined) throw new Error(`the watch page's file ${name} is missing`);
  await writeFile(`${folder}${name}.asset`, asset.body);
  lines.push(`import asset${index} from './${name}.asset';`);
  entries.push(`  [${JSON.stringify(name)}, ${JSON.stringify(asset.contentType)}, asset${index}],`);
}
await writeFile(`${folder}index.js`, `${lines.join('\n')}\nexport default [\n${entries.join('\n')}\n];\n`);
