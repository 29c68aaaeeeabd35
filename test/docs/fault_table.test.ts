/** docs/operations.md's table of faults is what docs/faults.json holds. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { FAULT_ROWS } from '../faults/rows.ts';
import { FAULTS_FILE, OPERATIONS_FILE, withFaultTable } from '../faults/write_table.ts';
import type { RecordedFaults } from '../faults/write_table.ts';

test('the table of faults shows the last measured figures', async () => {
  const recorded = JSON.parse(await readFile(FAULTS_FILE, 'utf8')) as RecordedFaults;
  const page = await readFile(OPERATIONS_FILE, 'utf8');
  expect(withFaultTable(page, recorded)).toBe(page);
  for (const row of Object.keys(recorded)) expect(FAULT_ROWS.map((known) => known.row)).toContain(row);
});
