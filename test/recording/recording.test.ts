/**
 * A stream that is recorded into a folder by the one-machine run: what is stored is what viewers got, and a store that
 * cannot be written changes nothing for them.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../storage/open_store.ts';
import { reportFault, seconds } from '../faults/fault_report.ts';
import { eventually } from '../one_machine/eventually.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { readRecording, recordedSessions } from './stored_recording.ts';

const run = promisify(execFile);

let folder: string;
let source: TestSource;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-recording-'));
  source = await makeTestSource();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function logged(stage: Stage, streamId: string, what: string): boolean {
  return stage.log(streamId).some(({ msg }) => msg.startsWith(what));
}

test.concurrent('what is stored is what viewers got, over an absence of the publisher, and is complete at the end', async () => {
  const location = `file:${join(folder, 'whole')}`;
  const stage = await Stage.open(['show'], { HW_RECORDING_STORE: location, HW_GOODBYE_WINDOW: '1' });
  try {
    const store = openStore(location);
    const first = await stage.publish('show', { source });
    const viewer = stage.follow('show');
    await viewer.waitForSegments(2, 30_000);
    await first.reset();
    await viewer.waitForSegments(1, 30_000);
    const second = await stage.publish('show', { source });
    await viewer.waitFor('a second epoch', 30_000, () => viewer.epochs.length >= 2);
    await viewer.waitForSegments(2, 30_000);
    await second.sayGoodbye();
    await eventually('the end', 20_000, async () => (await stage.status('show'))?.live === false);
    const [sessionId] = await recordedSessions(store, 'show');
    if (sessionId === undefined) throw new Error('nothing was recorded');
    const recording = await eventually('all is indexed', 10_000, async () => {
      const read = await readRecording(store, 'show', sessionId);
      return read.stored.get('180p')?.length === read.indexed.get('180p')?.length && read;
    });
    expect(recording.lies).toEqual([]);
    expect(recording.session).toMatchObject({ record: 'all', renditions: ['180p'] });
    const msns = recording.indexed.get('180p')?.map(({ msn }) => msn) ?? [];
    expect(msns).toEqual(Array.from(msns, (_, index) => (msns[0] ?? 0) + index));
    await viewer.stop();
    for (const epoch of viewer.epochs) {
      for (const segment of epoch.segments) {
        const seen = await viewer.mediaOf(segment);
        const key = new URL(segment.uri ?? '', stage.origin).pathname.slice(1);
        expect({
          key,
          same: seen !== undefined && Buffer.from((await store.get(key))?.body ?? []).equals(seen),
        }).toEqual({ key, same: true });
      }
    }
    expect(await store.head(`show/vod-${sessionId}/poster.jpg`)).toBeDefined();
  } finally {
    await stage.close();
  }
});

/** FAULTS row 4; and of row 41 what needs no S3: that the recording catches up once it can be stored. */
describe.concurrent('a recording that cannot be stored', () => {
  /** Of each case, how long after the failure it was said, ms. */
  const saidAfterMs: number[] = [];

  afterAll(async () => {
    if (saidAfterMs.length === 0) return;
    const measured = `said after ${seconds(Math.max(...saidAfterMs))}, 0 false entries`;
    await reportFault({ row: '4', measured });
  });

  /** A disk of two megabytes, where this process may mount one. */
  async function mountSmallDisk(path: string): Promise<boolean> {
    await mkdir(path, { recursive: true });
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'headwater-test', path]);
      return true;
    } catch {
      // No right to mount: the other case holds it to the same promise.
      return false;
    }
  }

  test('a full disk: live goes on, it is said within 10 s, and what is said to be stored is', async (context) => {
    const disk = join(folder, 'small');
    if (!(await mountSmallDisk(disk))) context.skip('mounting a disk needs root');
    const location = `file:${join(disk, 'recordings')}`;
    const stage = await Stage.open(['full'], { HW_RECORDING_STORE: location });
    try {
      await writeFile(join(disk, 'ballast'), Buffer.alloc(1_850_000));
      await stage.publish('full', { source: await makeTestSource({ videoBitrate: 1_200_000 }) });
      const viewer = stage.follow('full');
      await viewer.waitForSegments(1, 20_000);
      const store = openStore(location);
      await eventually('the disk is full', 30_000, async () => {
        return stage.machine.log().includes('the recording store failed');
      });
      const fullAtMs = performance.now();
      await eventually('it is said', 10_000, () => logged(stage, 'full', 'recording.failing'));
      const saidMs = performance.now() - fullAtMs;
      expect(saidMs).toBeLessThan(10_000);
      await viewer.waitForSegments(2, 10_000);
      const [sessionId] = await recordedSessions(store, 'full');
      if (sessionId === undefined) throw new Error('nothing was recorded');
      expect((await readRecording(store, 'full', sessionId)).lies).toEqual([]);
      await rm(join(disk, 'ballast'));
      await eventually('it is said to be over', 20_000, () => logged(stage, 'full', 'recording.recovered'));
      const recording = await readRecording(store, 'full', sessionId);
      expect(recording.lies).toEqual([]);
      const msns = recording.stored.get('180p') ?? [];
      expect(msns.toSorted((one, other) => one - other)).toEqual(
        Array.from(msns, (_, index) => Math.min(...msns) + index),
      );
      expect(viewer.violations).toEqual([]);
      saidAfterMs.push(saidMs);
    } finally {
      await stage.close();
      await run('umount', [disk]);
    }
  });

  test('a folder that cannot be made: said at the start in one line, and as an event; live is not affected', async () => {
    const blocked = join(folder, 'blocked');
    await writeFile(blocked, 'a file where a folder should be');
    await chmod(blocked, 0o400);
    const stage = await Stage.open(['live'], { HW_RECORDING_STORE: `file:${join(blocked, 'recordings')}` });
    try {
      await eventually('the line', 5000, () =>
        stage.machine
          .log()
          .includes(`recordings cannot be stored: the folder ${join(blocked, 'recordings')} cannot be`),
      );
      await stage.publish('live', { source });
      const viewer = stage.follow('live');
      await viewer.waitForSegments(1, 20_000);
      const from = performance.now();
      await eventually('the event', 10_000, () => logged(stage, 'live', 'recording.failing'));
      const saidMs = performance.now() - from;
      await viewer.waitForSegments(1, 20_000);
      expect(await viewer.verdict()).toEqual([]);
      saidAfterMs.push(saidMs);
    } finally {
      await stage.close();
    }
  });
});
