/**
 * Puts a recording into a store in memory as a recorder would have left it, without its cost: markers, media, sealed
 * indexes of a minute, roll-ups, tails.
 */
import { createHash } from 'node:crypto';
import { parseSessionId, parseStreamId } from '../../../contracts/ids.ts';
import type { Epoch, RenditionName } from '../../../contracts/ids.ts';
import { INDEXES_PER_ROLL_UP, keyOfPath, recordingKey } from '../../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex, RecordingSession, StoreKey } from '../../../contracts/recording.ts';
import type { MemoryStore } from './memory_store.ts';
import { syntheticInit, syntheticSegment } from './synthetic_segment.ts';

export const STREAM = parseStreamId('show');
export const SESSION = parseSessionId('01JD0000000000000000000000');
export const STARTED_AT_MS = 1_700_000_000_000;
export const SEGMENT_SECONDS = 2;
const SEGMENTS_PER_INDEX = 30;

export const RENDITIONS = ['360p', '480p', '720p'] as RenditionName[];

export const RECORDED_SESSION: RecordingSession = {
  v: 1,
  streamId: STREAM,
  sessionId: SESSION,
  startedAtMs: STARTED_AT_MS,
  playback: 'signed',
  record: 'all',
  shape: {
    renditions: RENDITIONS.map((name, index) => ({
      name,
      codecs: 'avc1.64001f,mp4a.40.2',
      bandwidth: 1_000_000 * (index + 1),
      averageBandwidth: 900_000 * (index + 1),
    })),
    targetDuration: SEGMENT_SECONDS,
    partTarget: 0.5,
  },
  renditions: RENDITIONS,
};

export interface SyntheticEpoch {
  readonly epoch: number;
  readonly firstMsn: number;
  readonly segments: number;
  /** Segments, from the first one, that indexes and tail name; absent: all. */
  readonly indexed?: number;
}

export function segmentKey(epoch: number, rendition: string, msn: number): StoreKey {
  return keyOfPath({
    kind: 'segment',
    streamId: STREAM,
    epoch: epoch as Epoch,
    rendition: rendition as RenditionName,
    msn,
  });
}

/** A segment's bytes, the same for the same place. */
export function segmentBytes({ firstMsn }: SyntheticEpoch, rendition: number, msn: number): Buffer {
  const start = 10 + (msn - firstMsn) * SEGMENT_SECONDS;
  return syntheticSegment({ start, duration: SEGMENT_SECONDS, seed: msn * 4 + rendition });
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function putRecording(store: MemoryStore, epochs: readonly SyntheticEpoch[], session = RECORDED_SESSION): void {
  const put = (key: StoreKey, value: object) => {
    store.set(key, Buffer.from(JSON.stringify(value)));
  };
  put(recordingKey.open(STREAM, SESSION), {});
  put(recordingKey.session(STREAM, SESSION), session);
  for (const epoch of epochs) putEpoch(store, epoch, put);
}

function putEpoch(store: MemoryStore, epoch: SyntheticEpoch, put: (key: StoreKey, value: object) => void): void {
  const number = epoch.epoch as Epoch;
  const base = { v: 1, streamId: STREAM, sessionId: SESSION, epoch: number } as const;
  put(recordingKey.epoch(STREAM, number), { ...base, playback: 'signed' });
  const init = syntheticInit();
  for (const rendition of RENDITIONS) {
    store.set(keyOfPath({ kind: 'init', streamId: STREAM, epoch: number, rendition }), init);
  }
  const inits = Object.fromEntries(RENDITIONS.map((name) => [name, { size: init.length, sha256: sha256(init) }]));
  const entries = putSegments(store, epoch);
  const slice = (from: number, to: number, serial: number): RecordingIndex => ({
    ...base,
    serial,
    inits,
    entries: Object.fromEntries(RENDITIONS.map((name) => [name, (entries.get(name) ?? []).slice(from, to)])),
  });
  const indexed = epoch.indexed ?? epoch.segments;
  const sealed = Math.floor(indexed / SEGMENTS_PER_INDEX);
  for (let serial = 0; serial < sealed; serial += 1) {
    const from = serial * SEGMENTS_PER_INDEX;
    put(recordingKey.index(STREAM, SESSION, number, serial), slice(from, from + SEGMENTS_PER_INDEX, serial));
    if ((serial + 1) % INDEXES_PER_ROLL_UP !== 0) continue;
    const first = (serial + 1 - INDEXES_PER_ROLL_UP) * SEGMENTS_PER_INDEX;
    put(recordingKey.rollUp(STREAM, SESSION, number, serial), slice(first, from + SEGMENTS_PER_INDEX, serial));
  }
  // A tail may still name what was sealed since.
  const from = Math.max(0, sealed * SEGMENTS_PER_INDEX - 2);
  put(recordingKey.tail(STREAM, SESSION, number), slice(from, indexed, sealed));
}

function putSegments(store: MemoryStore, epoch: SyntheticEpoch): Map<RenditionName, IndexEntry[]> {
  const entries = new Map<RenditionName, IndexEntry[]>(RENDITIONS.map((name) => [name, []]));
  for (let index = 0; index < epoch.segments; index += 1) {
    const msn = epoch.firstMsn + index;
    for (const [position, rendition] of RENDITIONS.entries()) {
      const bytes = segmentBytes(epoch, position, msn);
      store.set(segmentKey(epoch.epoch, rendition, msn), bytes);
      entries.get(rendition)?.push({
        msn,
        duration: SEGMENT_SECONDS,
        pdt: STARTED_AT_MS + (msn - 100) * SEGMENT_SECONDS * 1000,
        size: bytes.length,
        sha256: sha256(bytes),
      });
    }
  }
  return entries;
}
