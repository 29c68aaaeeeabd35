/**
 * Writes docs/map.md (`npm run map`).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderSourceMap } from './source_map.ts';

const ROOT = join(import.meta.dirname, '../..');
writeFileSync(join(ROOT, 'docs/map.md'), renderSourceMap(ROOT));
