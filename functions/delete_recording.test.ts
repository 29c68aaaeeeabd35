import { beforeEach, describe, expect, it } from 'vitest';
import { parseSessionId } from '../contracts/ids.ts';
import type { Epoch } from '../contracts/ids.ts';
import { recordingKey } from '../contracts/recording.ts';
import { deleteRecording } from './delete_recording.ts';
import { expireRecordings, expiryDate, recordingExpiresAtMs } from './expire_recordings.ts';
import { createFinalizeVod } from './finalize_vod.ts';
import { MemoryStore } from './finalize_vod/testing/memory_store.ts';
import {
  putRecording,
  RECORDED_SESSION,
  segmentKey,
  SESSION,
  STARTED_AT_MS,
  STREAM,
} from './finalize_vod/testing/synthetic_recording.ts';
import { listOpenRecordings } from './open_recordings.ts';

const OTHER = parseSessionId('01JD0000000000000000000001');
const EPOCHS = [
  { epoch: 7, firstMsn: 100, segments: 70 },
  { epoch: 9, firstMsn: 170, segments: 4, indexed: 2 },
];
const DAY_MS = 86_400_000;

let store: MemoryStore;

function finalize(target: MemoryStore) {
  const finalizer = createFinalizeVod({ store: target, announce: () => Promise.resolve(), log: () => undefined });
  return finalizer({ streamId: STREAM, sessionId: SESSION });
}

/** Puts what does not belong to the recording beside and between its objects. */
function putStrangers(): Map<string, string> {
  const strangers = [
    `show/vod-${SESSION}/notes.txt`,
    `show/vod-${SESSION}/1080p.m3u8`,
    `show/vod-${SESSION}x.m3u8`,
    `show/vod-${OTHER}/session.json`,
    `show/vod-${OTHER}.m3u8`,
    `_open/show/${OTHER}`,
    'show/7/360p/notes.txt',
    'show/7/1080p/100.m4s',
    'show/8/360p/100.m4s',
    'show/8/epoch.json',
    'other/7/360p/100.m4s',
  ];
  for (const key of strangers) store.set(key, Buffer.from(key));
  return new Map(strangers.map((key) => [key, key]));
}

const contents = () => new Map([...store.objects].map(([key, { body }]) => [key, Buffer.from(body).toString('utf8')]));

beforeEach(() => {
  store = new MemoryStore();
});

describe('deleting a recording', () => {
  it('removes all its objects and nothing else', async () => {
    putRecording(store, EPOCHS, { ...RECORDED_SESSION, keepDays: 30 });
    store.set(recordingKey.poster(STREAM, SESSION), Buffer.from('jpeg'));
    await finalize(store);
    const own = store.objects.size;
    const strangers = putStrangers();
    await expect(deleteRecording(store, STREAM, SESSION)).resolves.toMatchObject({ objects: own, foreign: 4 });
    expect(contents()).toEqual(strangers);
  });

  it('removes one that was never made final', async () => {
    putRecording(store, EPOCHS);
    await deleteRecording(store, STREAM, SESSION);
    expect(store.objects.size).toBe(0);
  });

  it('leaves an epoch that says it is of another session', async () => {
    putRecording(store, EPOCHS);
    const key = recordingKey.epoch(STREAM, 9 as Epoch);
    store.set(
      key,
      Buffer.from(JSON.stringify({ v: 1, streamId: STREAM, sessionId: OTHER, epoch: 9, playback: 'public' })),
    );
    await deleteRecording(store, STREAM, SESSION);
    expect([...store.objects.keys()].filter((name) => name.startsWith('show/9/'))).toHaveLength(16);
    expect([...store.objects.keys()].filter((name) => !name.startsWith('show/9/'))).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7])('goes on where it was cut off at its %i. request to delete', async (count) => {
    putRecording(store, EPOCHS);
    await finalize(store);
    let deletes = 0;
    store.onRequest = (kind) => {
      deletes += kind === 'delete' ? 1 : 0;
      if (deletes === count) throw new Error('cut off');
    };
    await deleteRecording(store, STREAM, SESSION).catch(() => undefined);
    store.onRequest = undefined;
    await deleteRecording(store, STREAM, SESSION);
    expect(store.objects.size).toBe(0);
  });
});

describe('expireRecordings', () => {
  const expiresAtMs = STARTED_AT_MS + 148_000 + 30 * DAY_MS;

  async function expire(nowMs: number): Promise<string[]> {
    const expired: string[] = [];
    for await (const { sessionId } of expireRecordings(store, nowMs)) expired.push(sessionId);
    return expired;
  }

  it('counts a recording’s days from its end', () => {
    const summary = { startedAt: new Date(STARTED_AT_MS).toISOString(), duration: 148 };
    expect(recordingExpiresAtMs({ ...summary, keepDays: 30 })).toBe(expiresAtMs);
    expect(recordingExpiresAtMs(summary)).toBeUndefined();
    expect(expiryDate(Date.UTC(2026, 0, 1))).toBe('2026-01-01');
    expect(expiryDate(Date.UTC(2026, 0, 1, 0, 0, 1))).toBe('2026-01-02');
  });

  it('deletes a recording when its days are over, and not before', async () => {
    putRecording(store, EPOCHS, { ...RECORDED_SESSION, keepDays: 30 });
    await finalize(store);
    const before = store.objects.size;
    expect(await expire(expiresAtMs)).toEqual([]);
    expect(store.objects.size).toBe(before);
    expect(await expire(expiresAtMs + DAY_MS)).toEqual([SESSION]);
    expect(store.objects.size).toBe(0);
  });

  it('keeps a recording without days, and one that grew since', async () => {
    putRecording(store, EPOCHS);
    await finalize(store);
    const stale = recordingKey.expiry('2020-01-01', STREAM, SESSION);
    store.set(stale, Buffer.from('{}'));
    store.set('_expiry/2020-01-01/notes.txt', Buffer.from('of a stranger'));
    expect(await expire(expiresAtMs + DAY_MS)).toEqual([]);
    expect(store.objects.has(stale)).toBe(false);
    expect(store.objects.has(segmentKey(7, '360p', 100))).toBe(true);
    expect(store.objects.has('_expiry/2020-01-01/notes.txt')).toBe(true);
  });
});

describe('listOpenRecordings', () => {
  it('lists recordings that are not final, and passes over what is no marker', async () => {
    putRecording(store, EPOCHS);
    for (const key of ['_open/notes.txt', '_open/show/notes', `_open/show/${SESSION}/x`, '_open/Bad/x']) {
      store.set(key, Buffer.from(''));
    }
    const found = [];
    for await (const recording of listOpenRecordings(store)) found.push(recording);
    expect(found).toEqual([{ streamId: STREAM, sessionId: SESSION, openedAtMs: store.nowMs }]);
  });
});
