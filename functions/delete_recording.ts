/**
 * Removes all objects of one recording and nothing else: what lies between them without being its own stays, and so do
 * the stream's other recordings.
 */
import type { Epoch, RenditionName, SessionId, StreamId } from '../contracts/ids.ts';
import { parseMediaPath } from '../contracts/media_paths.ts';
import { keyOfPath, recordingEpochSchema, recordingKey } from '../contracts/recording.ts';
import type { StoreKey } from '../contracts/recording.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { parsePayload } from '../contracts/schema.ts';
import { ContractError } from '../contracts/contract_error.ts';
import { listRecordingFolder, parseJson, readSession, recordingEpochs } from './finalize_vod/read_recording.ts';

export interface DeletedRecording {
  /** Objects that were removed. */
  readonly objects: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Objects that lie among them and were left alone. */
  readonly foreign: number;
}

type Store = Pick<RecordingStore, 'get' | 'list' | 'head' | 'delete'>;

/** Keys of one request. */
const BATCH = 1000;

/** Done in part, it can be done again: what names the rest goes last. Rejects with a StoreError. */
export async function deleteRecording(
  store: Store,
  streamId: StreamId,
  sessionId: SessionId,
): Promise<DeletedRecording> {
  const folder = await listRecordingFolder(store, streamId, sessionId);
  const renditions = await renditionsOf(store, streamId, sessionId, folder.keys());
  const isPlaylist = isPlaylistOf(streamId, sessionId, renditions);
  const counts = { objects: 0, bytes: 0, foreign: 0 };
  const remove = async (objects: readonly { readonly key: StoreKey; readonly size: number }[]) => {
    for (let from = 0; from < objects.length; from += BATCH) {
      const batch = objects.slice(from, from + BATCH);
      await store.delete(batch.map(({ key }) => key));
      counts.objects += batch.length;
      counts.bytes += batch.reduce((sum, { size }) => sum + size, 0);
    }
  };
  // First what makes players, reapers and sweeps find it.
  await remove(await existing(store, [recordingKey.open(streamId, sessionId)]));
  const own = [...folder.values()].filter(({ key }) => isPlaylist(key) || isOwn(key, streamId, sessionId));
  counts.foreign += folder.size - own.length;
  await remove(own.filter(({ key }) => isPlaylist(key)));
  for (const epoch of recordingEpochs(folder, streamId, sessionId)) {
    await removeEpoch(store, { streamId, sessionId, epoch, renditions }, remove, counts);
  }
  await remove(own.filter(({ key }) => !isPlaylist(key)));
  await remove(await existing(store, await expiriesOf(store, streamId, sessionId)));
  return counts;
}

async function existing(store: Store, keys: readonly StoreKey[]) {
  const found = await Promise.all(keys.map((key) => store.head(key)));
  return found.filter((info) => info !== undefined);
}

interface EpochOfSession {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly epoch: Epoch;
  readonly renditions: ReadonlySet<RenditionName>;
}

async function removeEpoch(
  store: Store,
  { streamId, sessionId, epoch, renditions }: EpochOfSession,
  remove: (objects: readonly { readonly key: StoreKey; readonly size: number }[]) => Promise<void>,
  counts: { foreign: number },
): Promise<void> {
  const epochKey = recordingKey.epoch(streamId, epoch);
  const owner = await readEpochOwner(store, epochKey);
  if (owner !== undefined && owner !== sessionId) return;
  const media: { key: StoreKey; size: number }[] = [];
  const description: typeof media = [];
  for await (const info of store.list(`${streamId}/${epoch}/`)) {
    const path = parseMediaPath(`/${info.key}`);
    const isMedia = (path?.kind === 'init' || path?.kind === 'segment') && path.epoch === epoch;
    if (isMedia && renditions.has(path.rendition)) media.push(info);
    else if (info.key === epochKey) description.push(info);
    else counts.foreign += 1;
  }
  await remove(media);
  await remove(description);
}

/** Undefined: nothing says whose epoch it is, so that the recording's own indexes do. */
async function readEpochOwner(store: Store, key: StoreKey): Promise<SessionId | undefined> {
  const object = await store.get(key);
  if (object === undefined) return undefined;
  try {
    return parsePayload(recordingEpochSchema, parseJson(object.body), key).sessionId;
  } catch (error) {
    if (error instanceof ContractError) return undefined;
    throw error;
  }
}

/** Without session.json, which goes with the last objects, there can be playlists and indexes left but no media. */
async function renditionsOf(
  store: Store,
  streamId: StreamId,
  sessionId: SessionId,
  keys: Iterable<StoreKey>,
): Promise<ReadonlySet<RenditionName>> {
  const session = await readSession(store, streamId, sessionId);
  if (session !== undefined) return new Set(session.shape.renditions.map(({ name }) => name));
  const paths = [...keys].map((key) => parseMediaPath(`/${key}`));
  return new Set(paths.flatMap((path) => (path?.kind === 'vod-media' ? [path.rendition] : [])));
}

function isPlaylistOf(streamId: StreamId, sessionId: SessionId, renditions: ReadonlySet<RenditionName>) {
  const playlists = new Set([
    keyOfPath({ kind: 'vod-multivariant', streamId, sessionId }),
    ...[...renditions].map((rendition) => keyOfPath({ kind: 'vod-media', streamId, sessionId, rendition })),
  ]);
  return (key: StoreKey): boolean => playlists.has(key);
}

const OWN =
  /^(?:(?:session|recording|announced)\.json|poster\.jpg|(?:index|rolled)\/[0-9]{16}-[0-9]{6}\.json|(?:tail|adopted)\/[0-9]{16}\.json)$/;

function isOwn(key: StoreKey, streamId: StreamId, sessionId: SessionId): boolean {
  const folder = recordingKey.folder(streamId, sessionId);
  return key.startsWith(folder) && OWN.test(key.slice(folder.length));
}

/** A recording that grew has more than one. */
async function expiriesOf(store: Store, streamId: StreamId, sessionId: SessionId): Promise<StoreKey[]> {
  const keys: StoreKey[] = [];
  for await (const { key } of store.list(recordingKey.expiryFolder)) {
    if (key.endsWith(`/${streamId}/${sessionId}`)) keys.push(key);
  }
  return keys;
}
