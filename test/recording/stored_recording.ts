/**
 * A recording as it lies in a store, read by its own rules: what is there, and whether its indexes tell the truth.
 */
import { createHash } from 'node:crypto';
import { isSessionId } from '../../contracts/ids.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { recordingIndexSchema, recordingKey, recordingSessionSchema } from '../../contracts/recording.ts';
import type { RecordingIndex, RecordingSession } from '../../contracts/recording.ts';
import type { RecordingStore } from '../../contracts/recording_store.ts';
import { parsePayload } from '../../contracts/schema.ts';

export interface StoredRecording {
  readonly session: RecordingSession;
  readonly indexes: readonly RecordingIndex[];
  /** Of each rendition, the MSNs of the segments that are there, indexed or not. */
  readonly stored: ReadonlyMap<string, readonly number[]>;
  /** Of each rendition, what its indexes say: MSN, and whether it is a gap. */
  readonly indexed: ReadonlyMap<string, readonly { readonly msn: number; readonly gap: boolean }[]>;
  /** What the indexes say and is not so. */
  readonly lies: readonly string[];
  readonly bytes: { readonly media: number; readonly indexes: number };
}

async function keysUnder(store: RecordingStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

async function json(store: RecordingStore, key: string): Promise<unknown> {
  const object = await store.get(key);
  return object === undefined ? undefined : JSON.parse(Buffer.from(object.body).toString());
}

/** Session ids of a stream that have a recording. */
export async function recordedSessions(store: RecordingStore, streamId: string): Promise<SessionId[]> {
  const keys = await keysUnder(store, `${streamId}/vod-`);
  return [...new Set(keys.map((key) => key.split('/')[1]?.slice('vod-'.length)))].filter(isSessionId);
}

/** @throws Error when it has no session.json, or what is there is not in its form */
export async function readRecording(
  store: RecordingStore,
  streamId: string,
  sessionId: SessionId,
): Promise<StoredRecording> {
  const stream = streamId as StreamId;
  const text = await json(store, recordingKey.session(stream, sessionId));
  const session = parsePayload(recordingSessionSchema, text, 'session.json');
  const indexes: RecordingIndex[] = [];
  let indexBytes = 0;
  const sealedUpTo = new Map<number, number>();
  for (const key of await keysUnder(store, recordingKey.indexFolder(stream, sessionId))) {
    const index = parsePayload(recordingIndexSchema, await json(store, key), key);
    indexes.push(index);
    sealedUpTo.set(index.epoch, index.serial);
    indexBytes += (await store.head(key))?.size ?? 0;
  }
  for (const key of await keysUnder(store, recordingKey.tailFolder(stream, sessionId))) {
    const tail = parsePayload(recordingIndexSchema, await json(store, key), key);
    if (tail.serial > (sealedUpTo.get(tail.epoch) ?? -1)) indexes.push(tail);
  }
  const stored = new Map<string, number[]>();
  let mediaBytes = 0;
  for (const key of await keysUnder(store, `${streamId}/`)) {
    const match = /^[^/]+\/[0-9]+\/([^/]+)\/([0-9]+)\.m4s$/.exec(key);
    if (match?.[1] === undefined) continue;
    stored.set(match[1], [...(stored.get(match[1]) ?? []), Number(match[2])]);
    mediaBytes += (await store.head(key))?.size ?? 0;
  }
  const lies: string[] = [];
  const indexed = new Map<string, { msn: number; gap: boolean }[]>();
  for (const index of indexes.toSorted((one, other) => one.epoch - other.epoch)) {
    for (const [rendition, entries] of Object.entries(index.entries)) {
      const all = indexed.get(rendition) ?? [];
      indexed.set(rendition, all);
      for (const { msn, sha256, size } of entries) {
        all.push({ msn, gap: sha256 === undefined });
        if (sha256 === undefined) continue;
        const object = await store.get(`${streamId}/${index.epoch}/${rendition}/${msn}.m4s`);
        if (object?.size !== size || sha256Of(object?.body) !== sha256) lies.push(`${index.epoch}/${rendition}/${msn}`);
      }
    }
  }
  return { session, indexes, stored, indexed, lies, bytes: { media: mediaBytes, indexes: indexBytes } };
}

function sha256Of(body: Uint8Array | undefined): string | undefined {
  return body === undefined ? undefined : createHash('sha256').update(body).digest('hex');
}
