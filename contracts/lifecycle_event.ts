/**
 * What the operator's event webhook is told: transitions of sessions, in order per stream, and health events, which
 * come when they come and expire.
 */
import * as z from 'zod/mini';
import { epochSchema, sessionIdSchema, streamIdSchema } from './schema.ts';

export const LIFECYCLE_TYPES = [
  'stream.live',
  'stream.interrupted',
  'stream.resumed',
  'stream.ended',
  'vod.ready',
  'relay.failed',
] as const;
export const HEALTH_TYPES = [
  'publisher.slow',
  'encoder.restarted',
  'rendition.shed',
  'rendition.restored',
  'recording.failing',
  'recording.recovered',
] as const;

export const lifecycleEventSchema = z.strictObject({
  /** `webhook-id` of its delivery; the same for every attempt. */
  id: z.string().check(z.regex(/^evt_[A-Za-z0-9_-]{8,100}$/, 'wanted an event id')),
  type: z.enum(LIFECYCLE_TYPES),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  /**
   * Counts this stream's events: rises by one, so that a receiver notices what it missed. It starts at the registry's
   * clock in ms, and there again when the registry was emptied or the stream was forgotten after a week of silence: a
   * gap is no proof of a loss, but no number comes twice and none goes back.
   */
  sequence: z.int().check(z.positive()),
  /** ISO 8601, by the registry's clock. */
  timestamp: z.string(),
  /**
   * Facts of the type, without secrets. `stream.live`: `path` of its playlist, `playback`, `title`;
   * `stream.interrupted`: `reason`, `windowSeconds` that it waits for its publisher; `stream.resumed`: `awaySeconds`;
   * `stream.ended`: `reason`, `durationSeconds` where it is known; `vod.ready` and `relay.failed`: what their makers know.
   */
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type LifecycleEvent = z.infer<typeof lifecycleEventSchema>;

export const healthEventSchema = z.strictObject({
  id: z.string().check(z.regex(/^evt_[A-Za-z0-9_-]{8,100}$/, 'wanted an event id')),
  type: z.enum(HEALTH_TYPES),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  timestamp: z.string(),
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type HealthEvent = z.infer<typeof healthEventSchema>;

/** What a transcoder reports of a stream that it owns; the registry makes an event of it. An older epoch's is ignored. */
export const notificationSchema = z.strictObject({
  /** The same notification again, under the same id, is one event. */
  id: z.string().check(z.regex(/^evt_[A-Za-z0-9_-]{8,100}$/, 'wanted an event id')),
  type: z.enum(['relay.failed', ...HEALTH_TYPES]),
  streamId: streamIdSchema,
  sessionId: sessionIdSchema,
  epoch: epochSchema,
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type Notification = z.infer<typeof notificationSchema>;
