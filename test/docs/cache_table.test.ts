/**
 * The table of objects and headers in docs/cdn.md is the one that the code sends.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { CACHE_POLICY } from '../../contracts/cache_policy.ts';

test('docs/cdn.md prints the cache policy of the code', async () => {
  const text = await readFile(new URL('../../docs/cdn.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| ([a-z-]+) \| `([^`]+)` \| (.+) \|$/gm)].map(([, ...cells]) => cells);
  const wanted = Object.entries(CACHE_POLICY).map(([kind, policy]) => [kind, policy.cacheControl(2), policy.why]);
  expect(rows).toEqual(wanted);
});
