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
} as const;

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
  /** Of a sealed index its number; of a tail the number that its content will be sealed under. */
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
  /** SHA-256 chained over all segments' digests: d(n) = SHA-256(d(n-1) || sha256(segment n)), renditions in the shape's order. */
  digest: sha256Schema,
});
/** `recording.json` */
export type RecordingSummary = z.infer<typeof recordingSummarySchema>;
