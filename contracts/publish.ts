/**
 * `authorizePublish`: may the holder of this stream key publish, and as which stream?
 */
import * as z from 'zod/mini';
import { playbackPolicySchema, recordPolicySchema } from './registry.ts';
import { streamIdSchema } from './schema.ts';

/** What is not as wanted refuses that relay alone, where relays are planned: the stream itself goes live. */
export const relayTargetSchema = z.strictObject({
  /** Wanted: `[a-z0-9][a-z0-9_-]{0,31}`. */
  name: z.string(),
  /** rtmp:// or rtmps:// with the target's own key: a secret. At most 2048 characters. */
  url: z.string(),
  /** `copy` or `transcode`. */
  mode: z._default(z.string(), 'copy'),
});
export type RelayTarget = z.infer<typeof relayTargetSchema>;

export const authorizePublishRequestSchema = z.strictObject({
  /** The publisher's secret. It stops here. */
  streamKey: z.string().check(z.minLength(1), z.maxLength(256)),
  app: z.string().check(z.maxLength(64)),
  query: z.record(z.string(), z.string()),
  clientAddress: z.string(),
  transcoderId: z.string(),
});
export type AuthorizePublishRequest = z.infer<typeof authorizePublishRequestSchema>;

/** What a stream may do, from the operator's webhook or the static keys. */
export const publishGrantSchema = z.strictObject({
  streamId: streamIdSchema,
  title: z.optional(z.string().check(z.maxLength(200))),
  record: z.optional(recordPolicySchema),
  /** Days that the recording is kept; 0: until it is deleted by hand. */
  recordKeepDays: z.optional(z.int().check(z.minimum(0), z.maximum(36_500))),
  /** Names of ladder rungs to make; absent: all. */
  renditions: z.optional(z.array(z.string())),
  relays: z.optional(z.array(relayTargetSchema)),
  maxBitrateKbps: z.optional(z.int().check(z.positive())),
  playback: z.optional(playbackPolicySchema),
});
export type PublishGrant = z.infer<typeof publishGrantSchema>;

export const authorizePublishReplySchema = z.discriminatedUnion('allowed', [
  z.strictObject({ allowed: z.literal(true), grant: publishGrantSchema }),
  z.strictObject({
    allowed: z.literal(false),
    /** `denied`: the operator said no. `unavailable`: nobody could say yes in time; the encoder may try again. */
    code: z.enum(['denied', 'unavailable']),
    /** One line without a secret, fit for a log. */
    reason: z.string(),
  }),
]);
export type AuthorizePublishReply = z.infer<typeof authorizePublishReplySchema>;
