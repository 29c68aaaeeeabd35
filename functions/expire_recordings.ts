/**
 * Retention where the store does not see to it: deletes the recordings whose days are over. A bucket's lifecycle rules
 * do the same by the tag `headwater-keep-days`; a folder has none.
 */
import { isSessionId, isStreamId } from '../contracts/ids.ts';
import type { SessionId, StreamId } from '../contracts/ids.ts';
import { recordingKey } from '../contracts/recording.ts';
import type { RecordingSummary } from '../contracts/recording.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { deleteRecording } from './delete_recording.ts';
import { readSummary } from './finalize_vod/read_recording.ts';

const DAY_MS = 86_400_000;

/** When its days are over, ms since 1970: they are counted from its end. Undefined: it is kept until someone deletes it. */
export function recordingExpiresAtMs({
  startedAt,
  duration,
  keepDays,
}: Pick<RecordingSummary, 'startedAt' | 'duration' | 'keepDays'>): number | undefined {
  return keepDays === undefined ? undefined : Date.parse(startedAt) + duration * 1000 + keepDays * DAY_MS;
}

/** `YYYY-MM-DD` of the first midnight (UTC) after which it is to go. */
export function expiryDate(expiresAtMs: number): string {
  return new Date(Math.ceil(expiresAtMs / DAY_MS) * DAY_MS).toISOString().slice(0, 10);
}

export interface ExpiredRecording {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly objects: number;
}

/** Rejects with a StoreError; what was deleted until then is. */
export async function* expireRecordings(
  store: Pick<RecordingStore, 'get' | 'list' | 'head' | 'delete'>,
  nowMs: number,
): AsyncGenerator<ExpiredRecording, void> {
  for await (const { key } of store.list(recordingKey.expiryFolder)) {
    const [date, streamId, sessionId] = key.slice(recordingKey.expiryFolder.length).split('/');
    const dueAtMs = Date.parse(`${date ?? ''}T00:00:00Z`);
    if (Number.isNaN(dueAtMs) || !isStreamId(streamId) || !isSessionId(sessionId)) continue;
    // Dates are listed in their order.
    if (dueAtMs > nowMs) return;
    const summary = await readSummary(store, streamId, sessionId);
    // What came late may have made it longer, or a person may have deleted it.
    const expiresAtMs = summary === undefined ? undefined : recordingExpiresAtMs(summary);
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) {
      const { objects } = await deleteRecording(store, streamId, sessionId);
      yield { streamId, sessionId, objects };
    } else {
      await store.delete([key]);
    }
  }
}
