/**
 * Finalisation on a real S3: an hour's show within its bound, finalisations at once, and deletion. Only where there is
 * an S3: the full layer starts one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordingStore } from '../../contracts/recording_store.ts';
import { createFinalizeVod } from '../../functions/finalize_vod.ts';
import { deleteRecording } from '../../functions/delete_recording.ts';
import { mapLimited } from '../../functions/finalize_vod/map_limited.ts';
import { readSummary } from '../../functions/finalize_vod/read_recording.ts';
import { MemoryStore } from '../../functions/finalize_vod/testing/memory_store.ts';
import { putRecording, SESSION, STREAM } from '../../functions/finalize_vod/testing/synthetic_recording.ts';
import { createS3Store } from '../../storage/s3_store.ts';
import { hasS3, startS3 } from '../recording/s3_under_test.ts';
import type { S3UnderTest } from '../recording/s3_under_test.ts';

const REQUEST = { streamId: STREAM, sessionId: SESSION };
const FINAL_WITHIN_MS = 2000;
const RUNS = 20;
const OPTIONS = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

describe.skipIf(!hasS3)('finalizeVod on S3 (needs script/test --full)', () => {
  let s3: S3UnderTest;
  let store: RecordingStore;

  beforeAll(async () => {
    s3 = await startS3();
    for (const [name, value] of Object.entries(s3.env)) process.env[name] = value;
    store = createS3Store({ bucket: s3.bucket, prefix: 'vod/', endpoint: s3.endpoint });
  });

  afterAll(async () => {
    store.close();
    await s3.stop();
  });

  /** An hour in two epochs, the newest segments not indexed, as the owner's crash leaves it. */
  async function putHour(): Promise<MemoryStore> {
    const memory = new MemoryStore();
    putRecording(memory, [
      { epoch: 7, firstMsn: 100, segments: 1000 },
      { epoch: 9, firstMsn: 1100, segments: 800, indexed: 797 },
    ]);
    await mapLimited([...memory.objects], 32, ([key, { body }]) => store.put(key, [body], OPTIONS));
    return memory;
  }

  /** As if it had never been finalised. */
  async function undo({ objects }: MemoryStore): Promise<void> {
    const made: string[] = [];
    for await (const { key } of store.list('')) if (!objects.has(key)) made.push(key);
    await store.delete(made);
    const texts = [...objects].filter(([key]) => !/\.(?:m4s|mp4)$/.test(key));
    await mapLimited(texts, 32, ([key, { body }]) => store.put(key, [body], OPTIONS));
  }

  it('makes an hour final within its bound, and deletes it', { timeout: 300_000 }, async () => {
    const hour = await putHour();
    const announced: string[] = [];
    const finalize = createFinalizeVod({
      store,
      announce: ({ sessionId }) => Promise.resolve(void announced.push(sessionId)),
      log: () => undefined,
    });
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      if (run > 0) await undo(hour);
      const startedMs = performance.now();
      const reply = await finalize(REQUEST);
      times.push(performance.now() - startedMs);
      expect(reply).toMatchObject({ outcome: 'final', segments: 5400, gaps: 0, revision: 1 });
    }
    times.sort((a, b) => a - b);
    expect(times[Math.ceil(0.95 * RUNS) - 1]).toBeLessThan(FINAL_WITHIN_MS);
    expect(announced).toEqual(times.map(() => SESSION));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'unchanged' });
    expect(announced).toHaveLength(RUNS);
    console.log(`an hour's show was final after ${times.map((ms) => Math.round(ms)).join(', ')} ms`);

    const { objects } = await deleteRecording(store, STREAM, SESSION);
    expect(objects).toBeGreaterThan(5400);
    const left: string[] = [];
    for await (const { key } of store.list('')) left.push(key);
    expect(left).toEqual([]);
  });

  it('comes to one result when it is done three times at once', { timeout: 120_000 }, async () => {
    const memory = new MemoryStore();
    putRecording(memory, [{ epoch: 7, firstMsn: 100, segments: 40, indexed: 35 }]);
    await mapLimited([...memory.objects], 32, ([key, { body }]) => store.put(key, [body], OPTIONS));
    const finalize = createFinalizeVod({ store, announce: () => Promise.resolve(), log: () => undefined });
    const replies = await Promise.all([finalize(REQUEST), finalize(REQUEST), finalize(REQUEST)]);
    expect(replies.filter(({ segments, gaps }) => segments !== 120 || gaps !== 0)).toEqual([]);
    const summary = await readSummary(store, STREAM, SESSION);
    expect(summary).toMatchObject({ revision: 1, duration: 80 });
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'unchanged' });
    await deleteRecording(store, STREAM, SESSION);
  });
});
