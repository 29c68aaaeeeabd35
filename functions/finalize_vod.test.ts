import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, RenditionName } from '../contracts/ids.ts';
import { keyOfPath, recordingKey, recordingSummarySchema } from '../contracts/recording.ts';
import type { RecordingSummary } from '../contracts/recording.ts';
import { parsePayload } from '../contracts/schema.ts';
import { createFinalizeVod } from './finalize_vod.ts';
import type { FinalizeVod, VodReadyData } from './finalize_vod.ts';
import { MemoryStore } from './finalize_vod/testing/memory_store.ts';
import {
  putRecording,
  RECORDED_SESSION,
  RENDITIONS,
  segmentBytes,
  segmentKey,
  SESSION,
  sha256,
  STREAM,
} from './finalize_vod/testing/synthetic_recording.ts';
import { syntheticSegment } from './finalize_vod/testing/synthetic_segment.ts';

const REQUEST = { streamId: STREAM, sessionId: SESSION };
const SUMMARY = recordingKey.summary(STREAM, SESSION);
const MULTIVARIANT = keyOfPath({ kind: 'vod-multivariant', ...REQUEST });
const playlistKey = (rendition: string) =>
  keyOfPath({ kind: 'vod-media', ...REQUEST, rendition: rendition as RenditionName });

let store: MemoryStore;
let announced: VodReadyData[];
let logged: Readonly<Record<string, unknown>>[];
let finalize: FinalizeVod;

function finalizer(): FinalizeVod {
  return createFinalizeVod({
    store,
    announce: ({ data }) => {
      announced.push(data);
      return Promise.resolve();
    },
    log: (_level, message, fields) => {
      logged.push({ message, ...fields });
    },
  });
}

beforeEach(() => {
  store = new MemoryStore();
  announced = [];
  logged = [];
  finalize = finalizer();
});

function summary(): RecordingSummary {
  return parsePayload(recordingSummarySchema, JSON.parse(store.text(SUMMARY) ?? 'null'), 'recording.json');
}

function gapsOf(rendition: string): number[] | undefined {
  return summary()
    .renditions.find(({ name }) => name === rendition)
    ?.gaps.map(({ msn }) => msn);
}

/** All objects, to compare: without their times. */
function contents(): Map<string, string> {
  return new Map([...store.objects].map(([key, { body }]) => [key, sha256(body)]));
}

describe('finalizeVod', () => {
  it('writes final playlists and the summary, announces the VOD, and takes the marker down', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 2 }]);
    store.set(recordingKey.poster(STREAM, SESSION), Buffer.from('jpeg'));
    await expect(finalize(REQUEST)).resolves.toEqual({
      outcome: 'final',
      revision: 1,
      duration: 4,
      segments: 6,
      gaps: 0,
    });
    expect(store.text(playlistKey('480p'))).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-START:TIME-OFFSET=0,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="../7/480p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXTINF:2.00000,
../7/480p/100.m4s
#EXTINF:2.00000,
../7/480p/101.m4s
#EXT-X-ENDLIST
`);
    expect(store.text(MULTIVARIANT)).toContain(`vod-${SESSION}/480p.m3u8`);
    const bytes = segmentBytes({ epoch: 7, firstMsn: 100, segments: 2 }, 0, 100).length * 6;
    expect(summary()).toMatchObject({ revision: 1, playback: 'signed', duration: 4, bytes, poster: true });
    expect(announced).toEqual([{ path: `/show/vod-${SESSION}.m3u8`, duration: 4, bytes, gaps: 0, poster: true }]);
    expect(store.objects.has(recordingKey.open(STREAM, SESSION))).toBe(false);
    expect(store.reads.filter((key) => key.endsWith('.m4s'))).toEqual([]);
    expect(logged).toEqual([]);
  });

  it('changes nothing when it is done again', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 40, indexed: 35 }]);
    await finalize(REQUEST);
    const before = contents();
    store.reads.length = 0;
    store.requests.put = 0;
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'unchanged', revision: 1 });
    expect(contents()).toEqual(before);
    expect(store.requests.put).toBe(0);
    expect(store.reads.filter((key) => key.endsWith('.m4s'))).toEqual([]);
    expect(announced).toHaveLength(1);
  });

  it('chains the digests of all segments', async () => {
    const epoch = { epoch: 7, firstMsn: 100, segments: 3 };
    putRecording(store, [epoch]);
    await finalize(REQUEST);
    let chained = Buffer.alloc(32);
    for (const position of RENDITIONS.keys()) {
      for (const msn of [100, 101, 102]) {
        const digest = Buffer.from(sha256(segmentBytes(epoch, position, msn)), 'hex');
        chained = Buffer.from(sha256(Buffer.concat([chained, digest])), 'hex');
      }
    }
    expect(summary().digest).toBe(chained.toString('hex'));
  });

  it('declares what is indexed but not there, or not whole, as a gap', async () => {
    const epoch = { epoch: 7, firstMsn: 100, segments: 10 };
    putRecording(store, [epoch]);
    store.objects.delete(segmentKey(7, '360p', 104));
    store.set(segmentKey(7, '720p', 106), segmentBytes(epoch, 2, 106).subarray(0, 100));
    await finalize(REQUEST);
    expect([gapsOf('360p'), gapsOf('480p'), gapsOf('720p')]).toEqual([[104], [], [106]]);
    expect(store.text(playlistKey('360p'))).toContain('#EXT-X-GAP\n#EXTINF:2.00000,\n../7/360p/104.m4s\n');
    expect(logged).toMatchObject([{ missing: 1, damaged: 1 }]);
  });

  it('adopts segments that no index names, with their durations and dates', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 12, indexed: 8 }]);
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 36, gaps: 0, duration: 24 });
    const adopted = JSON.parse(store.text(recordingKey.adopted(STREAM, SESSION, 7 as Epoch)) ?? '') as {
      readonly entries: Record<string, unknown[]>;
    };
    expect(adopted.entries['360p']?.[3]).toMatchObject({ msn: 111, duration: 2, pdt: 1_700_000_000_000 + 22_000 });
    expect(Object.values(adopted.entries).flat()).toHaveLength(12);
  });

  it('finds an epoch that died before its first index', async () => {
    store.nowMs = 1_700_000_090_000;
    putRecording(store, [
      { epoch: 7, firstMsn: 100, segments: 5 },
      { epoch: 9, firstMsn: 105, segments: 3, indexed: 0 },
    ]);
    // Nothing of the epoch is written but media, and its empty first tail.
    const base = { v: 1, streamId: STREAM, sessionId: SESSION, epoch: 9, serial: 0, inits: {}, entries: {} };
    store.set(recordingKey.tail(STREAM, SESSION, 9 as Epoch), Buffer.from(JSON.stringify(base)));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 24, gaps: 0 });
    expect(store.text(playlistKey('720p'))).toContain(
      '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="../9/720p/init.mp4"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:48.000Z\n',
    );
  });

  it('takes no segment that is not what its name says', async () => {
    const epoch = { epoch: 7, firstMsn: 100, segments: 10 };
    putRecording(store, [epoch]);
    const stray = syntheticSegment({ start: 30, duration: 2, seed: 1, trackId: 5 });
    store.set(segmentKey(7, '360p', 110), stray);
    store.set(segmentKey(7, '480p', 110), Buffer.from('not media at all'));
    store.set(segmentKey(7, '480p', 111), segmentBytes(epoch, 1, 109).subarray(0, -5));
    // A copy of an early segment under a later number.
    store.set(segmentKey(7, '720p', 999_999), segmentBytes(epoch, 2, 103));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 30, gaps: 0, duration: 20 });
    expect(logged).toMatchObject([{ rejected: 4, adopted: 0 }]);
  });

  it('leaves what is not its own alone', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 3 }]);
    const strangers = [
      `show/vod-${SESSION}x/notes.txt`,
      `show/vod-${SESSION}/notes.txt`,
      'show/7/360p/100.0.m4s',
      'show/7/360p/notes.txt',
      'show/7/1080p/100.m4s',
      'show/8/360p/100.m4s',
      'other/7/360p/100.m4s',
    ];
    for (const key of strangers) store.set(key, Buffer.from(key));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 9, gaps: 0 });
    for (const key of strangers) expect(store.text(key)).toBe(key);
    expect(logged).toMatchObject([{ foreign: 3 }]);
  });

  it('reads the segments of an index that is spoilt', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 70 }]);
    const key = recordingKey.index(STREAM, SESSION, 7 as Epoch, 0);
    store.set(key, Buffer.from('{"v":1'));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 210, gaps: 0, duration: 140 });
    expect(logged).toMatchObject([{ unreadable: [key], adopted: 90 }]);
  });

  it('makes a new revision of segments that come late, and announces nothing again', async () => {
    const epoch = { epoch: 7, firstMsn: 100, segments: 10 };
    putRecording(store, [epoch]);
    const late = segmentKey(7, '360p', 104);
    store.objects.delete(late);
    await finalize(REQUEST);
    const first = summary().digest;
    store.set(late, segmentBytes(epoch, 0, 104));
    store.set(recordingKey.open(STREAM, SESSION), Buffer.from('{}'));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'final', revision: 2, gaps: 0 });
    expect(summary().digest).not.toBe(first);
    expect(store.text(playlistKey('360p'))).not.toContain('GAP');
    expect(announced).toHaveLength(1);
    expect(store.objects.has(recordingKey.open(STREAM, SESSION))).toBe(false);
  });

  it('heals a playlist that was deleted', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 3 }]);
    await finalize(REQUEST);
    const before = contents();
    store.objects.delete(playlistKey('480p'));
    await finalize(REQUEST);
    expect(contents()).toEqual(before);
  });

  it('leaves the marker of a recorder that came back meanwhile', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 3 }]);
    store.onRequest = (kind, key) => {
      if (kind === 'put' && key === SUMMARY)
        store.set(recordingKey.open(STREAM, SESSION), Buffer.from('{"again":true}'));
    };
    await finalize(REQUEST);
    expect(store.objects.has(recordingKey.open(STREAM, SESSION))).toBe(true);
  });

  it('keeps the marker, and announces again, when the announcement was not taken', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 3 }]);
    const failing = createFinalizeVod({
      store,
      announce: () => Promise.reject(new Error('Redis is away')),
      log: () => undefined,
    });
    await expect(failing(REQUEST)).rejects.toThrow('Redis is away');
    expect(store.objects.has(recordingKey.open(STREAM, SESSION))).toBe(true);
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'unchanged', revision: 1 });
    expect(announced).toHaveLength(1);
  });

  it.each([
    ['no object at all', false],
    ['a session without a segment', true],
  ])('says empty of %s, and takes the marker down', async (_name, hasSession) => {
    if (hasSession) putRecording(store, []);
    else store.set(recordingKey.open(STREAM, SESSION), Buffer.from('{}'));
    await expect(finalize(REQUEST)).resolves.toMatchObject({ outcome: 'empty' });
    expect(store.objects.has(recordingKey.open(STREAM, SESSION))).toBe(false);
    expect(announced).toEqual([]);
  });

  it('tags what it writes with the days that the recording is kept', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 3, indexed: 2 }], { ...RECORDED_SESSION, keepDays: 30 });
    const before = new Set(store.objects.keys());
    await finalize(REQUEST);
    const own = [...store.objects].filter(([key]) => !before.has(key));
    expect(own).toHaveLength(8);
    expect(own.filter(([, { options }]) => options.keepDays !== 30)).toEqual([]);
  });

  it('comes to what the last one found, however finalisations and late segments interleave', async () => {
    const epoch = { epoch: 7, firstMsn: 100, segments: 8, indexed: 4 };
    putRecording(store, [epoch]);
    await finalize(REQUEST);
    const wanted = contents();
    // It says how often something came late.
    wanted.delete(SUMMARY);
    const late = fc.uniqueArray(fc.nat({ max: 7 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), late, fc.nat({ max: 6 }), async (scheduler, missing, patience) => {
        store = new MemoryStore();
        announced = [];
        putRecording(store, [epoch]);
        for (const index of missing) store.objects.delete(segmentKey(7, '360p', 100 + index));
        store.onRequest = () => scheduler.schedule(Promise.resolve());
        const early = [finalizer()(REQUEST), finalizer()(REQUEST)];
        const afterArrival = async () => {
          for (let step = 0; step < patience; step += 1) await scheduler.schedule(Promise.resolve());
          for (const index of missing)
            store.set(segmentKey(7, '360p', 100 + index), segmentBytes(epoch, 0, 100 + index));
          await finalizer()(REQUEST);
        };
        await scheduler.waitFor(Promise.all([...early, afterArrival()]));
        const got = contents();
        got.delete(SUMMARY);
        expect(got).toEqual(wanted);
        expect(summary().renditions.every(({ gaps, segments }) => gaps.length === 0 && segments === 8)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('makes twelve hours final within 200 requests, the memory and the time of one Lambda', async () => {
    putRecording(store, [{ epoch: 7, firstMsn: 100, segments: 21_600, indexed: 21_595 }]);
    for (const name of ['put', 'get', 'head', 'list', 'delete'] as const) store.requests[name] = 0;
    const startedAt = performance.now();
    await expect(finalize(REQUEST)).resolves.toMatchObject({ segments: 64_800, gaps: 0, duration: 43_200 });
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    const { put, get, head, list, delete: deletes } = store.requests;
    const playlists = RENDITIONS.length + 1;
    expect(put + get + head + list + deletes - playlists).toBeLessThanOrEqual(200);
  }, 60_000);
});
