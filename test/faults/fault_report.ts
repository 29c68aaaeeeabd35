/**
 * What a fault test measured, written down: one JSON file per row, from which docs/operations.md's table is made
 * (`npm run faults:table`).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { FAULT_ROWS } from './rows.ts';

export const REPORT_FOLDER = fileURLToPath(new URL('../../.out/faults/', import.meta.url));

export interface FaultMeasurement {
  /** Of FAULT_ROWS. */
  readonly row: string;
  /** As it stands in the table: `stall 1.2 s`, `0 frames`. */
  readonly measured: string;
  /** How it was injected, when that is less than the row says. */
  readonly note?: string;
}

/** Called once per row, after its assertions held. @throws RangeError for a row that there is not */
export async function reportFault(measurement: FaultMeasurement): Promise<void> {
  if (!FAULT_ROWS.some(({ row }) => row === measurement.row)) throw new RangeError(`got row ${measurement.row}`);
  await mkdir(REPORT_FOLDER, { recursive: true });
  const day = new Date().toISOString().slice(0, 10);
  await writeFile(
    `${REPORT_FOLDER}${measurement.row}.json`,
    `${JSON.stringify({ ...measurement, day }, undefined, 2)}\n`,
  );
}

/** Milliseconds as seconds with one decimal. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
