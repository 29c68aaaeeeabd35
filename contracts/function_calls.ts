/**
 * The functions' names, and what goes in and out of them: what a transcoder sends to Lambda, and the form of a refusal.
 */
import * as z from 'zod/mini';
import {
  claimRequestSchema,
  heartbeatRequestSchema,
  releaseRequestSchema,
  serverIdSchema,
  stopReasonSchema,
} from './registry.ts';
import { notificationSchema } from './lifecycle_event.ts';
import { sessionIdSchema, streamIdSchema } from './schema.ts';

/** Function names without the prefix of the stage. */
export const FUNCTION_NAMES = [
  'authorizePublish',
  'registry',
  'resolve',
  'finalizeVod',
  'reapSessions',
  'deliverWebhook',
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** Payload of `registry`; its reply is the operation's own. */
export const registryCallSchema = z.discriminatedUnion('operation', [
  z.strictObject({ operation: z.literal('claim'), request: claimRequestSchema }),
  z.strictObject({ operation: z.literal('heartbeat'), request: heartbeatRequestSchema }),
  z.strictObject({ operation: z.literal('release'), request: releaseRequestSchema }),
  /** What happens to a stream beside its ownership; answered with `{outcome: 'noted' | 'stale'}`. */
  z.strictObject({ operation: z.literal('notify'), request: notificationSchema }),
  /** For people; answered with `{streams: StreamRecord[]}`. */
  z.strictObject({ operation: z.literal('streams') }),
  /** For people; answered with `{sessions: SessionEntry[]}`, newest first. */
  z.strictObject({ operation: z.literal('sessions'), streamId: streamIdSchema }),
  /** For people; answered with `{done: boolean}`. */
  z.strictObject({ operation: z.literal('stop'), streamId: streamIdSchema, reason: stopReasonSchema }),
  z.strictObject({ operation: z.literal('drain'), serverId: serverIdSchema, draining: z.boolean() }),
]);
export type RegistryCall = z.infer<typeof registryCallSchema>;

export const notifyReplySchema = z.strictObject({ outcome: z.enum(['noted', 'stale']) });
export type NotifyReply = z.infer<typeof notifyReplySchema>;

/** Payload of `finalizeVod`: the session is over and what could be stored of it is stored. */
export const finalizeVodRequestSchema = z.strictObject({ streamId: streamIdSchema, sessionId: sessionIdSchema });
export type FinalizeVodRequest = z.infer<typeof finalizeVodRequestSchema>;

/** What a function answers instead of its reply. */
export const functionErrorSchema = z.strictObject({
  error: z.strictObject({
    /** `bad-request`: the same call will fail again. `unavailable`: what the function needs did not answer; ask again. */
    code: z.enum(['bad-request', 'unavailable']),
    /** One line; names the path of a bad field. */
    message: z.string(),
  }),
});
export type FunctionError = z.infer<typeof functionErrorSchema>;
