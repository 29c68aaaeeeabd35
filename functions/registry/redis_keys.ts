/**
 * The registry's keys in Redis: prefix `hw:`, all keys of one stream under its hash tag, all that the fleet shares
 * under another. Each of them expires.
 */
import type { StreamId } from '../../contracts/ids.ts';

/** Stands on every node for as long as that holds what was written to it. */
export const MARKER = 'hw:boot';

export const FLEET = {
  servers: 'hw:{fleet}:servers',
  load: 'hw:{fleet}:load',
  heard: 'hw:{fleet}:heard',
  /** Streams by their last report. */
  streams: 'hw:{fleet}:streams',
  draining: 'hw:{fleet}:draining',
  /** Streams that may hold events that no queue has taken. */
  outboxes: 'hw:{fleet}:outboxes',
} as const;

export const recordKey = (streamId: StreamId): string => `hw:{${streamId}}:record`;
export const grantKey = (streamId: StreamId, claimId: string): string => `hw:{${streamId}}:claim:${claimId}`;
export const outboxKey = (streamId: StreamId): string => `hw:{${streamId}}:outbox`;
/** Health events that no queue has taken, and the ids of all of late. */
export const healthKeys = (streamId: StreamId): readonly [string, string] => [
  `hw:{${streamId}}:health`,
  `hw:{${streamId}}:health-ids`,
];

/** What every script of a stream is given, in the order of lua_stream.ts. */
export const streamKeys = (streamId: StreamId): readonly string[] => [
  `hw:{${streamId}}:stream`,
  recordKey(streamId),
  outboxKey(streamId),
  `hw:{${streamId}}:told`,
  `hw:{${streamId}}:sessions`,
];
