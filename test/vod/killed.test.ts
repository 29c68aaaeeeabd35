/**
 * kill -9 of a machine that records, at moments that nobody chose: when it is started again it makes the recording final,
 * and all that viewers had been shown is in it but for the last segment of each rendition.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { SessionId } from '../../contracts/ids.ts';
import { createFileStore } from '../../storage/file_store.ts';
import { readSummary } from '../../functions/finalize_vod/read_recording.ts';
import { listOpenRecordings } from '../../functions/open_recordings.ts';
import { runVod } from '../../local/hw_vod.ts';
import { eventually } from '../one_machine/eventually.ts';
import { reportFault } from '../faults/fault_report.ts';
import { seededRandom } from '../recording/seeded_random.ts';
import {
  finalLine,
  makeDataFolder,
  publishShow,
  recordedSessions,
  startRecordingMachine,
  STREAM,
} from './recorded_show.ts';
import type { DataFolder } from './recorded_show.ts';

const SEED = Number(process.env['HW_TEST_SEED'] ?? 20_261_122);
const KILLS = Number(process.env['HW_TEST_KILLS'] ?? 5);
/** After two whole segments: with one alone there may be nothing to make a recording of. */
const LATEST_MS = 5000;

const random = seededRandom(SEED);
const moments = Array.from({ length: KILLS }, () => Math.round(random() * LATEST_MS));

/** The whole segments that viewers are shown. */
async function shownSegments(edgePort: number): Promise<number[]> {
  const reply = await fetch(`http://127.0.0.1:${edgePort}/${STREAM}/180p/index.m3u8`);
  return [...(await reply.text()).matchAll(/^[^#\n]*\/([0-9]+)\.m4s$/gm)].map((match) => Number(match[1]));
}

/** Records, is killed, starts again. @returns what viewers had been shown at the kill, and the session */
async function killAndStartAgain(folder: DataFolder, afterMs: number) {
  const machine = await startRecordingMachine(folder);
  await publishShow(machine);
  await eventually('two whole segments', 30_000, async () => (await shownSegments(machine.ports.edge)).length >= 2);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const shown = (await shownSegments(machine.ports.edge)).at(-1) ?? Number.NaN;
  machine.child.kill('SIGKILL');
  await machine.exited;
  await machine.stop();
  const [sessionId] = await recordedSessions(folder);
  if (sessionId === undefined) throw new Error(`killed after ${afterMs} ms it left no recording`);
  const again = await startRecordingMachine(folder);
  try {
    await finalLine(again, sessionId);
  } finally {
    await again.stop();
  }
  return { shown, sessionId };
}

async function lastRecorded(folder: DataFolder, sessionId: SessionId) {
  const store = createFileStore(folder.recordings);
  const open: SessionId[] = [];
  for await (const recording of listOpenRecordings(store)) open.push(recording.sessionId);
  const summary = await readSummary(store, STREAM, sessionId);
  const msns: number[] = [];
  for await (const { key } of store.list(`${STREAM}/`)) {
    const match = /\/([0-9]+)\.m4s$/.exec(key);
    if (match !== null) msns.push(Number(match[1]));
  }
  return { open, summary, last: Math.max(...msns), count: msns.length };
}

/** Of each kill, how many whole segments that viewers had been shown are not in the recording. */
const missing: number[] = [];

afterAll(async () => {
  if (missing.length < KILLS) return;
  const worst = Math.max(...missing);
  await reportFault({ row: '42', measured: `${KILLS} of ${KILLS} VODs good, at most ${worst} whole segment missing` });
});

describe.concurrent(`killed with SIGKILL while recording (seed ${SEED})`, { timeout: 120_000 }, () => {
  it.each(moments)('%i ms after its second segment: the recording is made final and found good', async (afterMs) => {
    const folder = await makeDataFolder();
    const { shown, sessionId } = await killAndStartAgain(folder, afterMs);
    const { open, summary, last, count } = await lastRecorded(folder, sessionId);
    expect(open).toEqual([]);
    expect(last).toBeGreaterThanOrEqual(shown - 1);
    missing.push(Math.max(0, shown - last));
    expect(summary?.renditions[0]).toMatchObject({ segments: count, gaps: [] });
    const command = { verb: 'verify', streamId: STREAM, sessionId, yes: false, open: false, quick: false } as const;
    const { status, text } = await runVod(command, { HW_DATA_DIR: folder.data });
    expect({ status, text }).toMatchObject({ status: 0, text: expect.stringMatching(/^GOOD: /) });
    await folder.remove();
  });
});
