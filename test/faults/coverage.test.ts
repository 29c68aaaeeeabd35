/**
 * No row of FAULT_ROWS is forgotten: each is reported by some test, and its figure comes from a file that a layer runs.
 */
import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAULT_ROWS } from './rows.ts';

const TESTS = fileURLToPath(new URL('..', import.meta.url));

/** The rows that a test's source reports. */
function reportedIn(source: string): readonly string[] {
  return [...source.matchAll(/\breportFault\(\{\s*row: '([^']+)'/g)].map((match) => match[1] ?? '');
}

test('every row of FAULTS is reported by a test', async () => {
  const reported = new Set<string>();
  for await (const name of glob('**/*.test.ts', { cwd: TESTS })) {
    for (const row of reportedIn(await readFile(`${TESTS}${name}`, 'utf8'))) reported.add(row);
  }
  const rows = FAULT_ROWS.map(({ row }) => row);
  expect(rows.filter((row) => !reported.has(row))).toEqual([]);
  expect([...reported].filter((row) => !rows.includes(row))).toEqual([]);
});
