/**
 * `/{streamId}/status.json` with the recordings of the stream, of which its media server knows nothing.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../../contracts/cache_policy.ts';
import { sessionStartMs } from '../../../contracts/ids.ts';
import type { SessionId, StreamId } from '../../../contracts/ids.ts';
import { buildMediaPath } from '../../../contracts/media_paths.ts';
import type { StreamStatus } from '../../../contracts/status.ts';
import { StoredObject, bytesOf } from '../stored_object.ts';

/** The newest so many are named. */
const MAX_RECORDINGS = 50;
const FRESH_MS = 1000;

/**
 * @param live the status that the media server or the registry gave; undefined: the stream is known by its recordings
 * alone
 * @param sessions oldest first
 */
export function statusWithRecordings(
  streamId: StreamId,
  live: StoredObject | undefined,
  sessions: readonly SessionId[],
  nowMs: number,
): StoredObject {
  const status: StreamStatus =
    live === undefined
      ? { streamId, live: false, state: 'ended', renditions: [], recordings: [] }
      : (JSON.parse(new TextDecoder().decode(live.identity.body)) as StreamStatus);
  const recordings = sessions
    .slice(-MAX_RECORDINGS)
    .toReversed()
    .map((sessionId) => ({
      sessionId,
      url: buildMediaPath({ kind: 'vod-multivariant', streamId, sessionId }),
      startedAt: new Date(sessionStartMs(sessionId)).toISOString(),
    }));
  return new StoredObject({
    status: 200,
    body: bytesOf(JSON.stringify({ ...status, recordings })),
    contentType: CONTENT_TYPE.json,
    cacheControl: CACHE_POLICY.status.cacheControl(0),
    fetchedAtMs: nowMs,
    freshForMs: FRESH_MS,
    compressible: true,
  });
}
