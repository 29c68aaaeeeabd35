/**
 * The registry's words: who owns a stream now, at which address, since which epoch, and what the next owner needs to
 * carry on. Implemented in memory for one machine and on Redis for a fleet; both pass one contract suite.
 */
import * as z from 'zod/mini';
import { epochSchema, sessionIdSchema, streamIdSchema } from './schema.ts';
import { renditionNameSchema, sessionShapeSchema } from './stream_shape.ts';
import type { StreamId } from './ids.ts';

export const playbackPolicySchema = z.enum(['public', 'signed']);
/** Who may watch. An unknown policy is treated as a refusal. */
export type PlaybackPolicy = z.infer<typeof playbackPolicySchema>;

export const recordPolicySchema = z.enum(['all', 'top', 'off']);
export type RecordPolicy = z.infer<typeof recordPolicySchema>;

export const serverAddressSchema = z.strictObject({
  /** Base URL inside the private network, such as `http://10.0.3.7:8000`. */
  private: z.url(),
  /** Base URL by public host name, for edges outside of it. */
  public: z.optional(z.url()),
});
export type ServerAddress = z.infer<typeof serverAddressSchema>;

export const serverIdSchema = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/, 'wanted a server id'));
const claimIdSchema = z.string().check(z.minLength(8), z.maxLength(64));
const msnSchema = z.int().check(z.nonnegative());

export const claimRequestSchema = z.strictObject({
  streamId: streamIdSchema,
  serverId: serverIdSchema,
  /** Chosen by the claimer; the same claim id gets the same answer again. */
  claimId: claimIdSchema,
  address: serverAddressSchema,
  playback: playbackPolicySchema,
  record: recordPolicySchema,
  title: z.optional(z.string().check(z.maxLength(200))),
  /**
   * The epoch of another server, still live, to replace exactly that one: the claimer has asked it and found it quiet,
   * closed or moving, or unreachable with a lease older than 8 s. A live stream is never granted to another server
   * without it; the answer is `owned` again while the registry knows of media within the last 3 s. A server that claims
   * its own stream again (a restart of its encoder, a new publisher) needs no such word.
   */
  replaces: z.optional(epochSchema),
});
export type ClaimRequest = z.infer<typeof claimRequestSchema>;

/**
 * What the next epoch of a running session starts from, at least. A server that still holds the session's window goes
 * on with its own numbers.
 */
export const carryOnSchema = z.strictObject({
  nextMsn: msnSchema,
  discontinuitySequence: z.int().check(z.nonnegative()),
  /** End of the last published segment's programme time, ms since 1970. */
  programDateTimeEndMs: z.number(),
  shape: z.optional(sessionShapeSchema),
});
export type CarryOn = z.infer<typeof carryOnSchema>;

export const claimReplySchema = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('granted'),
    epoch: epochSchema,
    sessionId: sessionIdSchema,
    /** When the session went live, ms since 1970 by the registry's clock. */
    startedAtMs: z.number(),
    /** True inside the reconnect window of a running session. */
    resumed: z.boolean(),
    /** The session's policy, by which the owner serves and reports: signed stays signed until the session ends. */
    playback: z.optional(playbackPolicySchema),
    carryOn: carryOnSchema,
  }),
  z.strictObject({
    outcome: z.literal('owned'),
    ownerServerId: serverIdSchema,
    ownerAddress: serverAddressSchema,
    ownerEpoch: epochSchema,
    /** Age of the owner's last heartbeat by the registry's clock, ms. */
    leaseAgeMs: z.number(),
    /** Said by who asked the owner itself, never by the registry: its publisher is there, so the newcomer is refused. */
    ownerHealthy: z.optional(z.boolean()),
  }),
  /** The registry was emptied a moment ago and waits for heartbeats: ask again then. */
  z.strictObject({ outcome: z.literal('wait'), retryAfterMs: z.number() }),
]);
export type ClaimReply = z.infer<typeof claimReplySchema>;

/** `live`: media flows. `interrupted`: the publisher is away inside the window. `ended`: ENDLIST stands. */
export const streamStateSchema = z.enum(['live', 'interrupted', 'ended']);
export type StreamState = z.infer<typeof streamStateSchema>;

/** One stream in a server's heartbeat: the whole record, so that an emptied registry is rebuilt from it. */
export const streamReportSchema = z.strictObject({
  streamId: streamIdSchema,
  epoch: epochSchema,
  sessionId: sessionIdSchema,
  startedAtMs: z.number(),
  state: streamStateSchema,
  nextMsn: msnSchema,
  discontinuitySequence: z.int().check(z.nonnegative()),
  programDateTimeEndMs: z.number(),
  shape: z.optional(sessionShapeSchema),
  playback: playbackPolicySchema,
  record: recordPolicySchema,
  title: z.optional(z.string().check(z.maxLength(200))),
  /** Time since the last media from the publisher, on the server's monotonic clock. */
  mediaAgeMs: z.number(),
});
export type StreamReport = z.infer<typeof streamReportSchema>;

export const heartbeatRequestSchema = z.strictObject({
  serverId: serverIdSchema,
  /** Rises with each heartbeat of a server; a lower one is ignored. Starts at the clock's ms, above any earlier run's. */
  seq: z.int().check(z.nonnegative()),
  address: serverAddressSchema,
  /** Where peers pass publishers on to, `host:port`. */
  ingest: z.optional(z.string()),
  capacity: z.strictObject({
    streams: z.int().check(z.nonnegative()),
    maxStreams: z.int().check(z.nonnegative()),
    ready: z.boolean(),
    draining: z.boolean(),
  }),
  streams: z.array(streamReportSchema),
});
export type HeartbeatRequest = z.infer<typeof heartbeatRequestSchema>;

export const heartbeatReplySchema = z.strictObject({
  /** Streams that a newer epoch has taken over, or that an operator ended or revoked. */
  lost: z.array(
    z.strictObject({
      streamId: streamIdSchema,
      epoch: epochSchema,
      reason: z.enum(['superseded', 'ended', 'revoked']),
    }),
  ),
  /** Ready servers other than the asker, least loaded first. */
  peers: z.array(z.strictObject({ serverId: serverIdSchema, ingest: z.string(), streams: z.int() })),
  /** An operator asked this server to drain. */
  drain: z.boolean(),
});
export type HeartbeatReply = z.infer<typeof heartbeatReplySchema>;

export const releaseRequestSchema = z.strictObject({
  streamId: streamIdSchema,
  epoch: epochSchema,
  /** `interrupted`: the connection is gone, the window runs. `moving`: the next claim is granted at once. */
  reason: z.enum(['ended', 'interrupted', 'moving']),
  /** How long the session waits for its publisher, ms; only with `interrupted`. */
  windowMs: z.optional(z.number().check(z.nonnegative())),
  /** Why, for the event that follows; one line without secrets. */
  detail: z.optional(z.string().check(z.maxLength(200))),
  report: streamReportSchema,
});
export type ReleaseRequest = z.infer<typeof releaseRequestSchema>;
/** `stale`: a newer owner stands there and was not touched. */
export const releaseReplySchema = z.strictObject({ outcome: z.enum(['released', 'stale']) });
export type ReleaseReply = z.infer<typeof releaseReplySchema>;

/** What the edge needs to find a stream. `v` is the record's version. */
export const streamRecordSchema = z.object({
  v: z.literal(1),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  epoch: epochSchema,
  state: streamStateSchema,
  startedAtMs: z.number(),
  serverId: serverIdSchema,
  address: serverAddressSchema,
  /** Earlier owners of the session, newest first, who may still hold the segments of their epochs. */
  previous: z.array(z.strictObject({ epoch: epochSchema, address: serverAddressSchema })),
  playback: playbackPolicySchema,
  renditions: z.array(renditionNameSchema),
  title: z.optional(z.string()),
});
export type StreamRecord = z.infer<typeof streamRecordSchema>;

export const sessionEntrySchema = z.strictObject({
  sessionId: sessionIdSchema,
  startedAtMs: z.number(),
  /** Absent: it has not ended, as far as is known. */
  endedAtMs: z.optional(z.number()),
});
/** One broadcast of a stream; times in ms since 1970 by the registry's clock. */
export type SessionEntry = z.infer<typeof sessionEntrySchema>;

export const stopReasonSchema = z.enum(['ended', 'revoked']);
/** `ended`: the show is over, its publisher may start another. `revoked`: the publisher's key is no longer good. */
export type StopReason = z.infer<typeof stopReasonSchema>;

/** What a person asks of the fleet. The servers hear of it with their next heartbeat, within 3 s. */
export interface FleetOperations {
  /** Streams that a server reported within the last lease, and that have not ended, by id. */
  streams(): Promise<StreamRecord[]>;
  /** The stream's last sessions (64 at most, of the last 14 days), newest first. */
  sessions(streamId: StreamId): Promise<SessionEntry[]>;
  /** Ends the stream's session. False: it has no session that has not ended. */
  stop(streamId: StreamId, reason: StopReason): Promise<boolean>;
  /** Has a server drain, or takes that back. False: no such server reports. */
  drain(serverId: string, draining: boolean): Promise<boolean>;
}

/** Who owns which stream. Every method rejects when the registry cannot be reached; none of them half-succeeds. */
export interface Registry {
  claim(request: ClaimRequest): Promise<ClaimReply>;
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply>;
  release(request: ReleaseRequest): Promise<ReleaseReply>;
  resolve(streamId: StreamId): Promise<StreamRecord | undefined>;
}
