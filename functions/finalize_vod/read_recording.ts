/**
 * Reads what a store holds of one session: its shape, its indexes, and which media lies there, without reading any media.
 */
import { ContractError } from '../../contracts/contract_error.ts';
import { isEpoch } from '../../contracts/ids.ts';
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import {
  INDEXES_PER_ROLL_UP,
  keyOfPath,
  recordingIndexSchema,
  recordingKey,
  recordingSessionSchema,
  recordingSummarySchema,
} from '../../contracts/recording.ts';
import type { RecordingIndex, RecordingSession, RecordingSummary, StoreKey } from '../../contracts/recording.ts';
import type { RecordingStore, StoredObjectInfo } from '../../contracts/recording_store.ts';
import { recordedRenditions } from '../../contracts/recording_timeline.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { mapLimited } from './map_limited.ts';

/** Media of one epoch as listed. */
export interface EpochMedia {
  /** Initialization segments. */
  readonly inits: ReadonlyMap<RenditionName, StoredObjectInfo>;
  /** By rendition and MSN. */
  readonly segments: ReadonlyMap<RenditionName, ReadonlyMap<number, StoredObjectInfo>>;
}

export interface StoredRecording {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** All objects that are not media, by key: those of the session's folder, and the multivariant playlist. */
  readonly folder: ReadonlyMap<StoreKey, StoredObjectInfo>;
  /** Undefined: nothing was ever recorded. */
  readonly session: RecordingSession | undefined;
  /** Sealed ones, roll-ups, tails, adopted ones, in no order; a segment may stand in several. */
  readonly indexes: readonly RecordingIndex[];
  /** Those of them that an earlier finalisation wrote. */
  readonly adopted: ReadonlyMap<Epoch, RecordingIndex>;
  /** Ascending. */
  readonly media: ReadonlyMap<Epoch, EpochMedia>;
  /** Objects beside the media that are not ours. */
  readonly foreign: number;
  /** Keys of index objects that cannot be read as such. */
  readonly unreadable: readonly StoreKey[];
}

export type RecordingReader = Pick<RecordingStore, 'get' | 'list'>;

/** Requests under way at once. */
const PARALLEL = 16;
/** An epoch with fewer known segments is listed as a whole, a larger one rendition by rendition beside each other. */
const LISTED_AT_ONCE = 900;

/** @throws StoreError; ContractError when session.json says something else than it should */
export async function readRecording(
  store: RecordingReader,
  streamId: StreamId,
  sessionId: SessionId,
): Promise<StoredRecording> {
  const folder = await listRecordingFolder(store, streamId, sessionId);
  const session = folder.has(recordingKey.session(streamId, sessionId))
    ? await readSession(store, streamId, sessionId)
    : undefined;
  if (session === undefined) {
    const nothing = { indexes: [], adopted: new Map(), media: new Map(), foreign: 0, unreadable: [] };
    return { streamId, sessionId, folder, session, ...nothing };
  }
  // Indexes before media: what is listed later than it was indexed is found, the other way around it would be missed.
  const names = indexNames(folder, streamId, sessionId);
  const { indexes, ...read } = await readIndexes(store, names, streamId, sessionId);
  const { media, foreign } = await listMedia(store, session, epochsOf(names), indexes);
  return { streamId, sessionId, folder, session, indexes, ...read, media, foreign };
}

/** All objects of a recording that are not media, by key; foreign ones in its folder too. */
export async function listRecordingFolder(
  store: Pick<RecordingReader, 'list'>,
  streamId: StreamId,
  sessionId: SessionId,
): Promise<Map<StoreKey, StoredObjectInfo>> {
  const folder = recordingKey.folder(streamId, sessionId);
  const multivariant = keyOfPath({ kind: 'vod-multivariant', streamId, sessionId });
  const found = new Map<StoreKey, StoredObjectInfo>();
  for await (const info of store.list(folder.slice(0, -1))) {
    if (info.key === multivariant || info.key.startsWith(folder)) found.set(info.key, info);
  }
  return found;
}

/** Undefined: there is none. @throws ContractError when it says something else than it should */
export async function readSession(
  store: Pick<RecordingReader, 'get'>,
  streamId: StreamId,
  sessionId: SessionId,
): Promise<RecordingSession | undefined> {
  const object = await store.get(recordingKey.session(streamId, sessionId));
  return object === undefined
    ? undefined
    : parsePayload(recordingSessionSchema, parseJson(object.body), 'session.json');
}

/** `recording.json`. Undefined: there is none, or none that can be read. */
export async function readSummary(
  store: Pick<RecordingReader, 'get'>,
  streamId: StreamId,
  sessionId: SessionId,
): Promise<RecordingSummary | undefined> {
  const object = await store.get(recordingKey.summary(streamId, sessionId));
  if (object === undefined) return undefined;
  try {
    return parsePayload(recordingSummarySchema, parseJson(object.body), 'recording.json');
  } catch (error) {
    if (error instanceof ContractError) return undefined;
    throw error;
  }
}

/** Text that is not JSON is undefined, which no schema takes. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

interface IndexName {
  readonly key: StoreKey;
  readonly kind: 'index' | 'rolled' | 'tail' | 'adopted';
  readonly epoch: Epoch;
  readonly serial: number;
}

/** The index objects by their names. @param folder as listed */
function indexNames(
  folder: ReadonlyMap<StoreKey, StoredObjectInfo>,
  streamId: StreamId,
  sessionId: SessionId,
): IndexName[] {
  const from = recordingKey.folder(streamId, sessionId).length;
  const names: IndexName[] = [];
  for (const key of folder.keys()) {
    const match = /^(index|rolled|tail|adopted)\/([0-9]{16})(?:-([0-9]{6}))?\.json$/.exec(key.slice(from));
    const epoch = Number(match?.[2]);
    const kind = match?.[1] as IndexName['kind'] | undefined;
    const isNumbered = kind === 'index' || kind === 'rolled';
    if (kind === undefined || !isEpoch(epoch) || isNumbered !== (match?.[3] !== undefined)) continue;
    names.push({ key, kind, epoch, serial: Number(match?.[3] ?? 0) });
  }
  return names;
}

/** Epochs of the recording, ascending: each has put up a tail before its first media. */
export function recordingEpochs(
  folder: ReadonlyMap<StoreKey, StoredObjectInfo>,
  streamId: StreamId,
  sessionId: SessionId,
): readonly Epoch[] {
  return epochsOf(indexNames(folder, streamId, sessionId));
}

function epochsOf(names: readonly IndexName[]): Epoch[] {
  return [...new Set(names.map((name) => name.epoch))].toSorted((a, b) => a - b);
}

/** Reads roll-ups, and of the sealed indexes those that no roll-up holds. */
async function readIndexes(
  store: RecordingReader,
  names: readonly IndexName[],
  streamId: StreamId,
  sessionId: SessionId,
): Promise<Pick<StoredRecording, 'indexes' | 'adopted' | 'unreadable'>> {
  const indexes: RecordingIndex[] = [];
  const adopted = new Map<Epoch, RecordingIndex>();
  const unreadable: StoreKey[] = [];
  const covered = new Set<string>();
  const read = async (name: IndexName): Promise<void> => {
    const object = await store.get(name.key);
    if (object === undefined) return;
    try {
      const index = parsePayload(recordingIndexSchema, parseJson(object.body), name.key);
      if (index.streamId !== streamId || index.sessionId !== sessionId || index.epoch !== name.epoch) {
        throw new ContractError(name.key, 'got the index of something else');
      }
      indexes.push(index);
      if (name.kind === 'adopted') adopted.set(index.epoch, index);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      unreadable.push(name.key);
      return;
    }
    if (name.kind !== 'rolled') return;
    for (let back = 0; back < INDEXES_PER_ROLL_UP; back += 1) covered.add(`${name.epoch}-${name.serial - back}`);
  };
  await mapLimited(
    names.filter(({ kind }) => kind === 'rolled'),
    PARALLEL,
    read,
  );
  await mapLimited(
    names.filter(
      ({ kind, epoch, serial }) => kind !== 'rolled' && !(kind === 'index' && covered.has(`${epoch}-${serial}`)),
    ),
    PARALLEL,
    read,
  );
  return { indexes, adopted, unreadable };
}

async function listMedia(
  store: RecordingReader,
  session: RecordingSession,
  epochs: readonly Epoch[],
  indexes: readonly RecordingIndex[],
): Promise<Pick<StoredRecording, 'media' | 'foreign'>> {
  const renditions = recordedRenditions(session);
  const known = new Map<Epoch, number>();
  for (const { epoch, entries } of indexes) {
    const count = Object.values(entries).reduce((sum, list) => sum + list.length, 0);
    known.set(epoch, (known.get(epoch) ?? 0) + count);
  }
  const prefixes = epochs.flatMap((epoch) => {
    const root = `${session.streamId}/${epoch}/`;
    return (known.get(epoch) ?? 0) < LISTED_AT_ONCE ? [root] : renditions.map((rendition) => `${root}${rendition}/`);
  });
  const media = new Map(epochs.map((epoch) => [epoch, emptyMedia(renditions)]));
  let foreign = 0;
  await mapLimited(prefixes, PARALLEL, async (prefix) => {
    for await (const info of store.list(prefix)) {
      const path = parseMediaPath(`/${info.key}`);
      const segments = path?.kind === 'segment' ? media.get(path.epoch)?.segments.get(path.rendition) : undefined;
      const inits = path?.kind === 'init' ? media.get(path.epoch)?.inits : undefined;
      if (path?.kind === 'segment' && segments !== undefined) segments.set(path.msn, info);
      else if (path?.kind === 'init' && inits !== undefined && renditions.includes(path.rendition))
        inits.set(path.rendition, info);
      else if (!info.key.endsWith('/epoch.json')) foreign += 1;
    }
  });
  return { media, foreign };
}

function emptyMedia(renditions: readonly RenditionName[]) {
  return {
    inits: new Map<RenditionName, StoredObjectInfo>(),
    segments: new Map(renditions.map((rendition) => [rendition, new Map<number, StoredObjectInfo>()])),
  };
}
