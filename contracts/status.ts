/**
 * `/{streamId}/status.json`: what a page may know about a stream.
 */
import type { SessionId, StreamId } from './ids.ts';
import type { RenditionShape } from './stream_shape.ts';

export interface StreamStatus {
  readonly streamId: StreamId;
  /** Media flows, or the publisher is away inside the reconnect window. */
  readonly live: boolean;
  /** `starting`: accepted, no playlist yet. `interrupted`: the picture stands still until the publisher is back. */
  readonly state: 'starting' | 'live' | 'interrupted' | 'ended';
  readonly sessionId?: SessionId;
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly title?: string;
  readonly renditions: readonly RenditionShape[];
  readonly recordings: readonly { readonly sessionId: SessionId; readonly url: string; readonly startedAt: string }[];
}
