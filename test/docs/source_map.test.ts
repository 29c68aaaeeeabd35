/**
 * docs/map.md names every source file, in its own words.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { firstSentence, renderSourceMap } from './source_map.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('docs/map.md', () => {
  it('is what `npm run map` writes', () => {
    expect(readFileSync(join(ROOT, 'docs/map.md'), 'utf8')).toBe(renderSourceMap(ROOT));
  });
});

describe('firstSentence', () => {
  it('is the first sentence of the comment at the top', () => {
    expect(firstSentence('/**\n * Cuts parts (RFC 8216bis,\n * 4.4.4.9). Nobody polls.\n */\nimport x;')).toBe(
      'Cuts parts (RFC 8216bis, 4.4.4.9).',
    );
    expect(firstSentence('/** One line. */')).toBe('One line.');
    expect(firstSentence('import x;\n/** Too late. */')).toBeUndefined();
  });
});
