/**
 * Finishes what an earlier run of the program could not store: uploads what it left on disk, indexes that, and has the
 * recordings that were final already made so again.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import { recordingIndexSchema, recordingKey } from '../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex } from '../../contracts/recording.ts';
import type { RecordingStore } from '../../contracts/recording_store.ts';
import { StoreError } from '../../contracts/recording_store.ts';
import { parsePayload } from '../../contracts/schema.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';
import type { Adopted } from './spill_folder.ts';
import type { SpillOrigin } from './spill_record.ts';
import type { QueuedUpload } from './upload.ts';
import type { UploadQueue } from './upload_queue.ts';

export interface ResumeDependencies {
  readonly store: RecordingStore;
  readonly queue: Pick<UploadQueue, 'add'>;
  readonly control: Pick<Control, 'finalizeVod'>;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
}

interface SpilledEpoch {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly epoch: Epoch;
  readonly keepDays: number | undefined;
  readonly media: {
    readonly origin: Extract<SpillOrigin, { epoch: Epoch }>;
    readonly record: Adopted['record'];
    readonly item: QueuedUpload;
  }[];
}

const AGAIN_MS = 5000;
/** A finalizer that was at work meanwhile is done after this time (a Lambda's limit), ms. */
const FINALIZER_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 30_000;

/** Resolves when all of it is stored and indexed, and the sessions' finalizers know. */
export async function resumeSpilled(adopted: readonly Adopted[], dependencies: ResumeDependencies): Promise<void> {
  const { queue, logger } = dependencies;
  if (adopted.length === 0) return;
  logger.info({ objects: adopted.length }, 'an earlier run left uploads on disk; they are being stored');
  const epochs = new Map<string, SpilledEpoch>();
  for (const { record, body } of adopted) {
    const { key, options, origin, sha256 } = record;
    const { contentType, cacheControl, onlyIfAbsent, keepDays } = options;
    const item = queue.add(
      {
        key,
        body: [],
        bytes: 0,
        options: {
          contentType,
          cacheControl,
          sha256,
          ...(onlyIfAbsent === undefined ? {} : { onlyIfAbsent }),
          ...(keepDays === undefined ? {} : { keepDays }),
        },
        essential: true,
        origin,
      },
      body,
    );
    if (origin.kind === 'description') continue;
    const { streamId, sessionId, epoch } = origin;
    const known = epochs.get(`${streamId}/${epoch}`) ?? { streamId, sessionId, epoch, keepDays, media: [] };
    epochs.set(`${streamId}/${epoch}`, known);
    known.media.push({ origin, record, item });
  }
  await Promise.all([...epochs.values()].map((epoch) => indexEpoch(epoch, dependencies)));
  const sessions = new Map([...epochs.values()].map((epoch) => [epoch.sessionId, epoch]));
  await Promise.all([...sessions.values()].map((session) => finalizeAgain(session, dependencies)));
}

/** Seals an index of what was on disk, behind what the earlier run had sealed or said in its tail. */
async function indexEpoch(spilled: SpilledEpoch, dependencies: ResumeDependencies): Promise<void> {
  const { streamId, sessionId, epoch, keepDays, media } = spilled;
  const { store } = dependencies;
  await Promise.all(media.map(({ item }) => item.settled));
  const own: RecordingIndex = { v: 1, streamId, sessionId, epoch, serial: 0, inits: {}, entries: {} };
  for (const { origin, record, item } of media) {
    if (item.outcome !== 'stored') continue;
    if (origin.kind === 'init') own.inits[origin.rendition] = { size: record.size, sha256: record.sha256 };
    else (own.entries[origin.rendition] ??= []).push(origin.entry);
  }
  if (Object.keys(own.entries).length === 0) return;
  await untilDone(dependencies, async () => {
    const first = `${recordingKey.indexFolder(streamId, sessionId)}${String(epoch).padStart(16, '0')}-`;
    let serial = 0;
    for await (const { key } of store.list(first)) serial = Number(key.slice(first.length, -'.json'.length)) + 1;
    const tail = await readTail(store, spilled);
    const index = merged(own, tail?.serial === serial ? tail : undefined, serial);
    const { outcome } = await store.put(
      recordingKey.index(streamId, sessionId, epoch, serial),
      [Buffer.from(JSON.stringify(index))],
      {
        contentType: CONTENT_TYPE.json,
        cacheControl: CACHE_POLICY.media.cacheControl(0),
        onlyIfAbsent: true,
        ...(keepDays === undefined ? {} : { keepDays }),
      },
    );
    if (outcome === 'exists') throw new StoreError('again', `the index ${serial} was there a moment later`);
  });
}

async function readTail(store: RecordingStore, { streamId, sessionId, epoch }: SpilledEpoch) {
  const object = await store.get(recordingKey.tail(streamId, sessionId, epoch));
  if (object === undefined) return undefined;
  return parsePayload(recordingIndexSchema, JSON.parse(Buffer.from(object.body).toString('utf8')), 'tail');
}

function merged(own: RecordingIndex, tail: RecordingIndex | undefined, serial: number): RecordingIndex {
  const entries: Record<string, IndexEntry[]> = {};
  for (const rendition of new Set([...Object.keys(tail?.entries ?? {}), ...Object.keys(own.entries)])) {
    const byMsn = new Map<number, IndexEntry>();
    for (const entry of [...(tail?.entries[rendition] ?? []), ...(own.entries[rendition] ?? [])]) {
      byMsn.set(entry.msn, entry);
    }
    entries[rendition] = [...byMsn.values()].toSorted((one, other) => one.msn - other.msn);
  }
  return { ...own, serial, inits: { ...tail?.inits, ...own.inits }, entries };
}

/**
 * A session that was made final without what came late is made so again. One that is not final yet will be, by its
 * owner or the reaper; but a finalizer may have listed the bucket just before: it is looked for until it must be done.
 */
async function finalizeAgain(
  { streamId, sessionId }: Pick<SpilledEpoch, 'streamId' | 'sessionId'>,
  dependencies: ResumeDependencies,
): Promise<void> {
  const { store, control, clock, logger } = dependencies;
  for (let waitedMs = 0; waitedMs <= FINALIZER_MS; waitedMs += LOOK_AGAIN_MS) {
    const done = await untilDone(dependencies, async () => {
      if ((await store.head(recordingKey.summary(streamId, sessionId))) === undefined) return false;
      await control.finalizeVod({ streamId, sessionId });
      return true;
    });
    if (done) {
      logger.info({ streamId, sessionId }, 'what came late was added to the recording');
      return;
    }
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}

/** Repeats `action` until it does not throw. */
async function untilDone<Value>(
  { clock, logger }: Pick<ResumeDependencies, 'clock' | 'logger'>,
  action: () => Promise<Value>,
): Promise<Value> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      logger.warn({ err: error }, 'what an earlier run left is not finished yet; it is tried again');
      await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
    }
  }
}
