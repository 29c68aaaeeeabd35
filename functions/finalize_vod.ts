/**
 * Makes a session's recording final: holds its indexes against what lies in the store, writes the playlists that stand
 * for ever and `recording.json`, and says once that the VOD is ready. Doing it twice, at once or hours late comes to the
 * same; segments that came later make a new revision.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FinalizeVodRequest } from '../contracts/function_calls.ts';
import type { LifecycleEvent } from '../contracts/lifecycle_event.ts';
import { buildMediaPath } from '../contracts/media_paths.ts';
import { CONTENT_TYPE } from '../contracts/cache_policy.ts';
import { keyOfPath, recordingKey } from '../contracts/recording.ts';
import type {
  IndexEntry,
  RecordingIndex,
  RecordingSession,
  RecordingSummary,
  StoreKey,
} from '../contracts/recording.ts';
import { renderRecordingMedia, renderRecordingMultivariant } from '../contracts/recording_playlist.ts';
import { StoreError } from '../contracts/recording_store.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { recordingTimeline } from '../contracts/recording_timeline.ts';
import type { RecordingTimeline } from '../contracts/recording_timeline.ts';
import { expiryDate, recordingExpiresAtMs } from './expire_recordings.ts';
import { adoptSegments } from './finalize_vod/adopt_segments.ts';
import type { Adoption } from './finalize_vod/adopt_segments.ts';
import { readRecording, readSummary } from './finalize_vod/read_recording.ts';
import type { StoredRecording } from './finalize_vod/read_recording.ts';
import { reconcile } from './finalize_vod/reconcile.ts';
import type { Reconciled } from './finalize_vod/reconcile.ts';
import { summarize } from './finalize_vod/summarize.ts';
import type { FunctionLog } from './function_log.ts';

/** Data of `vod.ready`. */
export type VodReadyData = LifecycleEvent['data'];

/** Hands `vod.ready` over to be sent; the same session again is one event. Rejects when it was not taken. */
export type AnnounceVod = (ready: FinalizeVodRequest & { readonly data: VodReadyData }) => Promise<void>;

export interface FinalizeVodOptions {
  readonly store: Pick<RecordingStore, 'get' | 'head' | 'list' | 'put' | 'delete'>;
  readonly announce: AnnounceVod;
  readonly log: FunctionLog;
}

export interface FinalizeVodReply {
  /** `final`: a new revision stands. `unchanged`: it stood already. `empty`: there is no segment. */
  readonly outcome: 'final' | 'unchanged' | 'empty';
  readonly revision: number;
  /** Seconds. */
  readonly duration: number;
  readonly segments: number;
  readonly gaps: number;
}

/** Rejects with a StoreError when the store does not answer, or when others keep changing the recording meanwhile. */
export type FinalizeVod = (request: FinalizeVodRequest) => Promise<FinalizeVodReply>;

/** Of finalisations at once one gets through in each round; more than this many do not happen. */
const MAX_ROUNDS = 8;
/** They change only when segments come late. */
const CACHE_CONTROL = 'public, max-age=10';

export function createFinalizeVod(options: FinalizeVodOptions): FinalizeVod {
  return async (request) => {
    for (let round = 1; ; round += 1) {
      const reply = await finalizeOnce(options, request);
      if (reply !== 'overtaken') return reply;
      if (round === MAX_ROUNDS) throw new StoreError('again', 'the recording was changed by others all the while');
    }
  };
}

async function finalizeOnce(
  { store, announce, log }: FinalizeVodOptions,
  { streamId, sessionId }: FinalizeVodRequest,
): Promise<FinalizeVodReply | 'overtaken'> {
  const openKey = recordingKey.open(streamId, sessionId);
  const marker = await store.head(openKey);
  const stored = await readRecording(store, streamId, sessionId);
  // A recorder that came back meanwhile has put it up anew, and asks again when it is done.
  const takeMarkerDown = async () => {
    if (marker !== undefined && (await store.head(openKey))?.etag === marker.etag) await store.delete([openKey]);
  };
  if (stored.session === undefined) {
    await takeMarkerDown();
    return EMPTY;
  }
  const reconciled = reconcile(stored.session, stored.indexes, stored.media);
  const adoption = await adoptSegments(store, reconciled, stored.media);
  reportFindings(log, stored, reconciled, adoption);
  const timeline = recordingTimeline(stored.session, [...reconciled.indexes, ...adoption.indexes], { final: true });
  if (!timeline.rows.some((row) => row.stored.some((entry) => entry !== undefined))) {
    await takeMarkerDown();
    return EMPTY;
  }
  const written = await writeFinal(store, stored, stored.session, adoption, timeline);
  if (written === 'overtaken') return 'overtaken';
  const { summary, isNew } = written;
  const announcedKey = recordingKey.announced(streamId, sessionId);
  if (!stored.folder.has(announcedKey)) {
    await announce({ streamId, sessionId, data: readyData(summary) });
    await store.put(announcedKey, [jsonBytes({ v: 1 })], { ...jsonOptions(stored.session), onlyIfAbsent: true });
  }
  await takeMarkerDown();
  return {
    outcome: isNew ? 'final' : 'unchanged',
    revision: summary.revision,
    duration: summary.duration,
    segments: summary.renditions.reduce((sum, { segments }) => sum + segments, 0),
    gaps: countGaps(summary),
  };
}

const EMPTY: FinalizeVodReply = { outcome: 'empty', revision: 0, duration: 0, segments: 0, gaps: 0 };

/**
 * Each object is written only if it is still the one that was listed before anything else was read: so whoever writes
 * knows at least what the writer before knew. `recording.json` comes last: when it stands, the rest does.
 */
async function writeFinal(
  store: FinalizeVodOptions['store'],
  stored: StoredRecording,
  session: RecordingSession,
  adoption: Adoption,
  timeline: RecordingTimeline,
): Promise<{ readonly summary: RecordingSummary; readonly isNew: boolean } | 'overtaken'> {
  const { streamId, sessionId, folder } = stored;
  const replace = async (key: StoreKey, body: Uint8Array, contentType: string): Promise<boolean> => {
    const before = folder.get(key);
    if (before?.size === body.byteLength) {
      const object = await store.get(key);
      if (object !== undefined && Buffer.compare(object.body, body) === 0) return true;
    }
    const condition = before === undefined ? { onlyIfAbsent: true } : { ifMatch: before.etag };
    const { outcome } = await store.put(key, [body], { ...jsonOptions(session), contentType, ...condition });
    return outcome === 'stored';
  };
  for (const index of adoption.indexes) {
    const body = jsonBytes(joinAdopted(stored.adopted.get(index.epoch), index));
    if (!(await replace(recordingKey.adopted(streamId, sessionId, index.epoch), body, CONTENT_TYPE.json))) {
      return 'overtaken';
    }
  }
  for (const rendition of timeline.renditions) {
    const text = Buffer.from(renderRecordingMedia(timeline, rendition, { final: true }));
    const key = keyOfPath({ kind: 'vod-media', streamId, sessionId, rendition });
    if (!(await replace(key, text, CONTENT_TYPE.playlist))) return 'overtaken';
  }
  const multivariant = keyOfPath({ kind: 'vod-multivariant', streamId, sessionId });
  const text = Buffer.from(renderRecordingMultivariant(session));
  if (!(await replace(multivariant, text, CONTENT_TYPE.playlist))) return 'overtaken';

  const summaryKey = recordingKey.summary(streamId, sessionId);
  const before = folder.has(summaryKey) ? await readSummary(store, streamId, sessionId) : undefined;
  const poster = folder.has(recordingKey.poster(streamId, sessionId));
  const same = summarize(session, timeline, { revision: before?.revision ?? 1, poster });
  if (before !== undefined && isDeepStrictEqual(same, before)) return { summary: same, isNew: false };
  const summary = { ...same, revision: (before?.revision ?? 0) + 1 };
  const expiresAtMs = recordingExpiresAtMs(summary);
  if (expiresAtMs !== undefined) {
    const expiry = recordingKey.expiry(expiryDate(expiresAtMs), streamId, sessionId);
    await store.put(expiry, [jsonBytes({ v: 1 })], { ...jsonOptions(session), onlyIfAbsent: true });
  }
  return (await replace(summaryKey, jsonBytes(summary), CONTENT_TYPE.json)) ? { summary, isNew: true } : 'overtaken';
}

/** The same text for the same content, in whatever order it was found. */
function joinAdopted(before: RecordingIndex | undefined, index: RecordingIndex): RecordingIndex {
  const entries: Record<string, IndexEntry[]> = {};
  const inits: RecordingIndex['inits'] = {};
  const known = { ...before?.inits, ...index.inits };
  for (const rendition of Object.keys(known).toSorted()) {
    const init = known[rendition];
    if (init !== undefined) inits[rendition] = init;
  }
  for (const rendition of Object.keys({ ...before?.entries, ...index.entries }).toSorted()) {
    const all = [...(before?.entries[rendition] ?? []), ...(index.entries[rendition] ?? [])];
    entries[rendition] = all.toSorted((a, b) => a.msn - b.msn);
  }
  return { ...index, inits, entries };
}

function readyData(summary: RecordingSummary): VodReadyData {
  const { streamId, sessionId, duration, bytes, poster } = summary;
  const path = buildMediaPath({ kind: 'vod-multivariant', streamId, sessionId });
  return { path, duration, bytes, gaps: countGaps(summary), poster };
}

function countGaps(summary: RecordingSummary): number {
  return summary.renditions.reduce((sum, { gaps }) => sum + gaps.length, 0);
}

function jsonBytes(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function jsonOptions({ keepDays }: RecordingSession) {
  const kept = keepDays === undefined ? {} : { keepDays };
  return { contentType: CONTENT_TYPE.json, cacheControl: CACHE_CONTROL, ...kept };
}

function reportFindings(log: FunctionLog, stored: StoredRecording, reconciled: Reconciled, adoption: Adoption): void {
  const { streamId, sessionId, foreign, unreadable } = stored;
  const { missing, damaged } = reconciled;
  const { rejected } = adoption;
  const adopted = adoption.indexes.flatMap((index) => Object.values(index.entries).flat()).length;
  if (missing + damaged + adopted + foreign + unreadable.length + rejected.length === 0) return;
  const [first] = rejected;
  log('warn', 'the store and the indexes differ', {
    streamId,
    sessionId,
    missing,
    damaged,
    adopted,
    foreign,
    unreadable,
    rejected: rejected.length,
    ...(first === undefined ? {} : { firstRejected: `${first.key}: ${first.reason}` }),
  });
}
