/**
 * Recordings that began and were not made final yet, by one listing of the store: how a reaper finds what a crash left
 * behind, even after the registry was lost.
 */
import { isSessionId, isStreamId } from '../contracts/ids.ts';
import type { SessionId, StreamId } from '../contracts/ids.ts';
import { recordingKey } from '../contracts/recording.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';

export interface OpenRecording {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** When its marker was put up by the store's clock, ms since 1970. */
  readonly openedAtMs: number;
}

/** Other objects below `_open/` are passed over. Rejects with a StoreError. */
export async function* listOpenRecordings(store: Pick<RecordingStore, 'list'>): AsyncGenerator<OpenRecording, void> {
  for await (const { key, modifiedAtMs } of store.list(recordingKey.openFolder)) {
    const [streamId, sessionId, ...rest] = key.slice(recordingKey.openFolder.length).split('/');
    if (rest.length > 0 || !isStreamId(streamId) || !isSessionId(sessionId)) continue;
    yield { streamId, sessionId, openedAtMs: modifiedAtMs };
  }
}
