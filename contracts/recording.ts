/**
 * The objects of a recording: where each one lies in the store, and what the ones that are not media say. Everything
 * of one session lies under its own folder, except media, which lies under its public path.
 */
import * as z from 'zod/mini';
import { buildMediaPath } from './media_paths.ts';
import type { MediaPath } from './media_paths.ts';
import type { Epoch, SessionId, StreamId } from './ids.ts';
import { playbackPolicySchema, recordPolicySchema } from './registry.ts';
import { epochSchema, sessionIdSchema, streamIdSchema } from './schema.ts';
import { renditionNameSchema, sessionShapeSchema } from './stream_shape.ts';

/** Keys are relative to the store's prefix and never begin with a slash. */
export type StoreKey = string;

/** The key of media and of final playlists is their public path. */
export function keyOfPath(path: MediaPath): StoreKey {
  return buildMediaPath(path).slice(1);
}

const folder = (streamId: StreamId, sessionId: SessionId): string => `${streamId}/vod-${sessionId}/`;

export const recordingKey = {
  /** All that is not media: what deleting a recording removes beside the segments that its indexes name. */
  folder,
  /** The session's first object: shape and playback policy. */
  session: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}session.json`,
  /** What an epoch is part of, beside its media: by it a segment's path finds the recording's policy. */
  epoch: (streamId: StreamId, epoch: Epoch): StoreKey => `${streamId}/${epoch}/epoch.json`,
  /** Sealed, written once, `serial` from 0; zero-padded so that a listing is in order. */
  index: (streamId: StreamId, sessionId: SessionId, epoch: Epoch, serial: number): StoreKey =>
    `${folder(streamId, sessionId)}index/${String(epoch).padStart(16, '0')}-${String(serial).padStart(6, '0')}.json`,
  indexFolder: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}index/`,
  /**
   * The content of the sealed indexes `serial - INDEXES_PER_ROLL_UP + 1` to `serial` in one object, so that twelve hours
   * are read in tens of requests. Written after them; where one is missing, the sealed ones say the same.
   */
  rollUp: (streamId: StreamId, sessionId: SessionId, epoch: Epoch, serial: number): StoreKey =>
    `${folder(streamId, sessionId)}rolled/${String(epoch).padStart(16, '0')}-${String(serial).padStart(6, '0')}.json`,
  rollUpFolder: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}rolled/`,
  /** Segments of an epoch that no index of the recorder names, found and measured by finalizeVod: an index like the others. */
  adopted: (streamId: StreamId, sessionId: SessionId, epoch: Epoch): StoreKey =>
    `${folder(streamId, sessionId)}adopted/${String(epoch).padStart(16, '0')}.json`,
  /** Stands when `vod.ready` was handed over to be sent. */
  announced: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}announced.json`,
  /** What is durable since the epoch's last sealed index; rewritten. */
  tail: (streamId: StreamId, sessionId: SessionId, epoch: Epoch): StoreKey =>
    `${folder(streamId, sessionId)}tail/${String(epoch).padStart(16, '0')}.json`,
  tailFolder: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}tail/`,
  poster: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}poster.jpg`,
  /** What finalizeVod found: it stands when the recording is final. */
  summary: (streamId: StreamId, sessionId: SessionId): StoreKey => `${folder(streamId, sessionId)}recording.json`,
  /** Stands from the session's first object to its finalisation, so that a reaper finds orphans by one listing. No stream id begins with `_`. */
  open: (streamId: StreamId, sessionId: SessionId): StoreKey => `_open/${streamId}/${sessionId}`,
  openFolder: '_open/',
  /** Of a recording that is kept for days: when those are over, `YYYY-MM-DD` in UTC. So a listing shows what has expired. */
  expiry: (date: string, streamId: StreamId, sessionId: SessionId): StoreKey =>
    `_expiry/${date}/${streamId}/${sessionId}`,
  expiryFolder: '_expiry/',
} as const;

/** A roll-up stands for every 30 sealed indexes of an epoch: its `serial` + 1 is a multiple of 30. */
export const INDEXES_PER_ROLL_UP = 30;

const keepDaysSchema = z.int().check(z.positive());

export const recordingSessionSchema = z.object({
  v: z.literal(1),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  startedAtMs: z.number(),
  title: z.optional(z.string()),
  playback: playbackPolicySchema,
  record: recordPolicySchema,
  shape: sessionShapeSchema,
  /** Names of the renditions that are recorded. */
  renditions: z.array(renditionNameSchema).check(z.minLength(1)),
  /** Days that its objects are kept; absent: until someone deletes the recording. */
  keepDays: z.optional(keepDaysSchema),
});
export type RecordingSession = z.infer<typeof recordingSessionSchema>;

export const recordingEpochSchema = z.object({
  v: z.literal(1),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  epoch: epochSchema,
  playback: playbackPolicySchema,
});
/** `{streamId}/{epoch}/epoch.json` */
export type RecordingEpoch = z.infer<typeof recordingEpochSchema>;

const sha256Schema = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'wanted a SHA-256 in hexadecimal'));

export const indexEntrySchema = z.object({
  msn: z.int().check(z.nonnegative()),
  /** Seconds. */
  duration: z.number().check(z.nonnegative()),
  /** EXT-X-PROGRAM-DATE-TIME of its first picture, ms since 1970. */
  pdt: z.number(),
  /** Absent for a gap: what could not be stored, or was never made. */
  size: z.optional(z.int().check(z.positive())),
  sha256: z.optional(sha256Schema),
});
/** One segment of one rendition. */
export type IndexEntry = z.infer<typeof indexEntrySchema>;

export const recordingIndexSchema = z.object({
  v: z.literal(1),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  epoch: epochSchema,
  /** Of a sealed index its number; of a roll-up its last one's; of a tail the number that its content will be sealed under. */
  serial: z.int().check(z.nonnegative()),
  /** Initialization segments, by rendition. */
  inits: z.record(z.string(), z.object({ size: z.int().check(z.positive()), sha256: sha256Schema })),
  /** By rendition, ascending MSNs; only segments that are durably stored, and gaps that are final. */
  entries: z.record(z.string(), z.array(indexEntrySchema)),
});
/** What one epoch stored in one stretch of about a minute. */
export type RecordingIndex = z.infer<typeof recordingIndexSchema>;

export const recordingSummarySchema = z.object({
  v: z.literal(1),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  /** 1 for the first finalisation; rises when segments arrived later. */
  revision: z.int().check(z.positive()),
  title: z.optional(z.string()),
  playback: playbackPolicySchema,
  startedAt: z.string(),
  /** Seconds, gaps included. */
  duration: z.number(),
  bytes: z.int(),
  renditions: z.array(
    z.object({
      name: renditionNameSchema,
      segments: z.int(),
      bytes: z.int(),
      duration: z.number(),
      /** Segments that are missing. */
      gaps: z.array(z.object({ msn: z.int(), duration: z.number() })),
    }),
  ),
  poster: z.boolean(),
  /** As in session.json. */
  keepDays: z.optional(keepDaysSchema),
  /**
   * SHA-256 chained over all segments' digests: d(n) = SHA-256(d(n-1) || sha256(segment n)), d(0) = 32 zero bytes,
   * renditions in the shape's order, in each its epochs and in those its MSNs ascending, gaps left out.
   */
  digest: sha256Schema,
});
/** `recording.json` */
export type RecordingSummary = z.infer<typeof recordingSummarySchema>;
