/**
 * The one key of the registry in Redis that more than the functions know: edges read the record of a stream there.
 */
import type { StreamId } from './ids.ts';

/** Holds the JSON of `streamRecordSchema`. The braces keep a stream's keys in one slot of a cluster. */
export function streamRecordKey(streamId: StreamId): string {
  return `hw:{${streamId}}:record`;
}
