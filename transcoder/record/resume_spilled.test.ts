import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FinalizeVodRequest } from '../../contracts/function_calls.ts';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import { recordingIndexSchema, recordingKey } from '../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex } from '../../contracts/recording.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { FakeClock } from '../stream/testing/fake_clock.ts';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { resumeSpilled } from './resume_spilled.ts';
import type { Adopted } from './spill_folder.ts';
import type { SpillOrigin } from './spill_record.ts';
import { SESSION, STREAM } from './testing/recorded_session.ts';
import { ScriptedStore } from './testing/scripted_store.ts';
import { UploadQueue } from './upload_queue.ts';

const epoch = 7 as Epoch;
const rendition = '720p' as RenditionName;
const of = { streamId: STREAM, sessionId: SESSION, epoch, rendition };
const TEXT = { contentType: 'application/json', cacheControl: 'no-cache' };

let clock: FakeClock;
let store: ScriptedStore;
let finalized: FinalizeVodRequest[];

beforeEach(() => {
  clock = new FakeClock();
  store = new ScriptedStore();
  finalized = [];
});

function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

function spilled(key: string, origin: SpillOrigin, body: Buffer): Adopted {
  return {
    record: { v: 1, key, sha256: sha256Of(body), size: body.length, options: TEXT, origin },
    body: { bytes: body.length, read: async () => body, remove: async () => undefined },
  };
}

function entryOf(msn: number): IndexEntry {
  const body = Buffer.from(`segment ${msn}`);
  return { msn, duration: 2, pdt: msn * 2000, size: body.length, sha256: sha256Of(body) };
}

function segment(msn: number): Adopted {
  return spilled(
    `show/7/720p/${msn}.m4s`,
    { kind: 'segment', ...of, entry: entryOf(msn) },
    Buffer.from(`segment ${msn}`),
  );
}

async function stand(key: string, said: Partial<RecordingIndex>): Promise<void> {
  const whole = { v: 1, streamId: STREAM, sessionId: SESSION, epoch, serial: 0, inits: {}, entries: {}, ...said };
  await store.put(key, [Buffer.from(JSON.stringify(whole))], TEXT);
}

function resume(adopted: readonly Adopted[]): Promise<void> {
  const queue = new UploadQueue({
    store,
    spill: () => Promise.reject(new Error('no disk')),
    clock,
    random: () => 0.5,
    logger: silentLogger,
    maxMemoryBytes: 1000,
  });
  const control = {
    finalizeVod: async (request: FinalizeVodRequest) => {
      finalized.push(request);
    },
  };
  return resumeSpilled(adopted, { store, queue, control, clock, logger: silentLogger });
}

function index(serial: number): RecordingIndex {
  const key = recordingKey.index(STREAM, SESSION, epoch, serial);
  return parsePayload(recordingIndexSchema, store.json(key), key);
}

describe('what an earlier run left on disk', () => {
  it('is stored, and indexed behind what that run had indexed', async () => {
    await stand(recordingKey.index(STREAM, SESSION, epoch, 0), { entries: { '720p': [entryOf(1), entryOf(2)] } });
    await stand(recordingKey.tail(STREAM, SESSION, epoch), {
      serial: 1,
      entries: { '720p': [entryOf(3)], '360p': [entryOf(3)] },
    });
    const init = spilled('show/7/720p/init.mp4', { kind: 'init', ...of }, Buffer.from('init'));
    const done = resume([init, segment(5), segment(4)]);
    await clock.pass(1000);
    expect(store.objects.get('show/7/720p/4.m4s')?.body.toString()).toBe('segment 4');
    expect(index(1)).toMatchObject({
      serial: 1,
      inits: { '720p': { size: 4, sha256: sha256Of(Buffer.from('init')) } },
      entries: { '720p': [entryOf(3), entryOf(4), entryOf(5)], '360p': [entryOf(3)] },
    });
    expect(finalized).toEqual([]);
    await clock.pass(20 * 60_000);
    await done;
  });

  it('leaves out a tail that was sealed already', async () => {
    await stand(recordingKey.index(STREAM, SESSION, epoch, 0), { entries: { '720p': [entryOf(1), entryOf(2)] } });
    await stand(recordingKey.tail(STREAM, SESSION, epoch), { serial: 0, entries: { '720p': [entryOf(1)] } });
    void resume([segment(3)]);
    await clock.pass(1000);
    expect(index(1).entries).toEqual({ '720p': [entryOf(3)] });
  });

  it('makes a recording final again that was final without it', async () => {
    await store.put(recordingKey.summary(STREAM, SESSION), [Buffer.from('{}')], TEXT);
    const done = resume([segment(1), segment(2)]);
    await clock.pass(1000);
    await done;
    expect(finalized).toEqual([{ streamId: STREAM, sessionId: SESSION }]);
  });

  it('also when a finalizer was at work meanwhile', async () => {
    const done = resume([segment(1)]);
    await clock.pass(60_000);
    expect(finalized).toEqual([]);
    await store.put(recordingKey.summary(STREAM, SESSION), [Buffer.from('{}')], TEXT);
    await clock.pass(60_000);
    await done;
    expect(finalized).toHaveLength(1);
  });

  it('waits for a store that is away', async () => {
    store.script = () => 'fail';
    void resume([segment(1), segment(2)]);
    await clock.pass(300_000);
    expect(store.keys()).toEqual([]);
    store.script = (key) => (key.includes('/index/') ? 'fail' : 'ok');
    await clock.pass(30_000);
    expect(store.keys()).toEqual(['show/7/720p/1.m4s', 'show/7/720p/2.m4s']);
    store.script = () => 'ok';
    await clock.pass(30_000);
    expect(index(0).entries).toEqual({ '720p': [entryOf(1), entryOf(2)] });
  });
});
