/**
 * `npm run faults:table`: takes the figures of the last fault tests into docs/faults.json, and writes docs/operations.md's
 * table from it.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { REPORT_FOLDER } from './fault_report.ts';
import type { FaultMeasurement } from './fault_report.ts';
import { FAULT_ROWS } from './rows.ts';

export type RecordedFaults = Readonly<Record<string, FaultMeasurement & { readonly day: string }>>;

export const FAULTS_FILE = fileURLToPath(new URL('../../docs/faults.json', import.meta.url));
export const OPERATIONS_FILE = fileURLToPath(new URL('../../docs/operations.md', import.meta.url));
const BEGIN = '<!-- faults: begin, written by npm run faults:table -->';
const END = '<!-- faults: end -->';

/** The table as Markdown. */
export function renderFaultTable(recorded: RecordedFaults): string {
  const lines = FAULT_ROWS.map(({ row, fault, seen, bound }) => {
    const result = recorded[row];
    const measured = result === undefined ? '**not measured**' : `${result.measured} (${result.day})`;
    const note = result?.note === undefined ? '' : `; ${result.note}`;
    return `| ${row} | ${fault} | ${seen} | ${bound ?? ''} | ${measured}${note} |`;
  });
  return ['| # | fault | what is seen | bound | measured |', '|---|---|---|---|---|', ...lines].join('\n');
}

/** @throws Error when the page has no place for the table */
export function withFaultTable(page: string, recorded: RecordedFaults): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/operations.md: wanted the markers of the fault table');
  return `${page.slice(0, begin + BEGIN.length)}\n\n${renderFaultTable(recorded)}\n\n${page.slice(end)}`;
}

async function main(): Promise<void> {
  const recorded: Record<string, RecordedFaults[string]> = JSON.parse(await readFile(FAULTS_FILE, 'utf8'));
  for (const name of await readdir(REPORT_FOLDER)) {
    const measured = JSON.parse(await readFile(`${REPORT_FOLDER}${name}`, 'utf8')) as RecordedFaults[string];
    recorded[measured.row] = measured;
  }
  const ordered = Object.fromEntries(
    FAULT_ROWS.flatMap(({ row }) => {
      const result = recorded[row];
      return result === undefined ? [] : [[row, result] as const];
    }),
  );
  await writeFile(FAULTS_FILE, `${JSON.stringify(ordered, undefined, 2)}\n`);
  await writeFile(OPERATIONS_FILE, withFaultTable(await readFile(OPERATIONS_FILE, 'utf8'), ordered));
}

if (import.meta.main) await main();
