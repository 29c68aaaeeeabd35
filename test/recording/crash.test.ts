/**
 * kill -9 of the whole program at a random moment (FAULTS 42, five of the hundred): of what viewers saw whole, at most
 * the last segment of each rendition is not in the recording.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../storage/open_store.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { seededRandom } from './seeded_random.ts';
import { readRecording, recordedSessions } from './stored_recording.ts';

const SEED = Number(process.env['HW_TEST_SEED'] ?? 42);
const KILLS = Number(process.env['HW_TEST_KILLS'] ?? 5);

let folder: string;
let source: TestSource;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-crash-'));
  source = await makeTestSource();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.concurrent('a program that is killed', () => {
  const random = seededRandom(SEED);
  const cases = Array.from({ length: KILLS }, (_, index) => ({ index, afterMs: Math.round(2000 + random() * 6000) }));

  test.each(cases)('case $index, $afterMs ms after its first segment', async ({ index, afterMs }) => {
    const location = `file:${join(folder, String(index))}`;
    const stage = await Stage.open(['show'], {
      HW_RECORDING_STORE: location,
      HW_SEGMENT_SECONDS: '1',
      HW_PART_SECONDS: '0.2',
    });
    try {
      await stage.publish('show', { source });
      const viewer = stage.follow('show');
      await viewer.waitForSegments(1, 30_000);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      const seen = viewer.wholeSegments.map(({ msn }) => msn);
      stage.machine.child.kill('SIGKILL');
      await stage.machine.exited;
      const store = openStore(location);
      const [sessionId] = await recordedSessions(store, 'show');
      if (sessionId === undefined) throw new Error('nothing was recorded');
      const recording = await readRecording(store, 'show', sessionId);
      expect(recording.lies).toEqual([]);
      const stored = new Set(recording.stored.get('180p'));
      const missing = seen.filter((msn) => !stored.has(msn));
      expect(missing.length).toBeLessThanOrEqual(1);
      expect(missing.every((msn) => msn === Math.max(...seen))).toBe(true);
      expect(await store.head(`_open/show/${sessionId}`)).toBeDefined();
    } finally {
      await stage.close();
    }
  });
});
