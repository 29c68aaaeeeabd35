/**
 * Delivers one event to the operator's webhook, signed as Standard Webhooks, and says how long to wait before it is
 * tried again.
 */
import type { HealthEvent, LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { guardedPost, GuardedPostError } from '../guarded_post.ts';
import type { ResolveName } from '../guarded_post.ts';
import type { WebhookSigner } from '../webhook_signature.ts';

export interface EventDeliveryOptions {
  /** http or https. */
  readonly url: URL;
  /** Requests are unsigned without it. */
  readonly signer?: WebhookSigner | undefined;
  readonly allowPrivate: boolean;
  readonly clock: {
    /** ms since 1970. */
    readonly nowMs: () => number;
  };
  /** For one request, ms. */
  readonly timeoutMs?: number;
  /** Name look-up; the system's unless given. */
  readonly resolve?: ResolveName;
}

export type DeliveryResult =
  | { readonly delivered: true }
  /** `reason` is one line without the URL, which may hold a secret. */
  | { readonly delivered: false; readonly reason: string };

/** Never rejects. */
export type DeliverEvent = (event: LifecycleEvent | HealthEvent) => Promise<DeliveryResult>;

const TIMEOUT_MS = 10_000;

/** A health event is news for this long, ms. */
export const HEALTH_NEWS_MS = 300_000;
/** Attempts until an event goes to the dead-letter queue: together with the pauses more than 24 h. */
export const MAX_ATTEMPTS = 64;

const FIRST_PAUSE_S = 5;
const LONGEST_PAUSE_S = 1800;

/**
 * The pause after a failed attempt, seconds: doubling from 5 s to half an hour.
 * @param attempts that were made, 1 or more
 */
export function pauseAfter(attempts: number): number {
  return Math.min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** Math.min(attempts - 1, 20));
}

export function createEventDelivery(options: EventDeliveryOptions): DeliverEvent {
  return async (event) => {
    const body = JSON.stringify(event);
    const over = new AbortController();
    const deadline = setTimeout(() => over.abort(), options.timeoutMs ?? TIMEOUT_MS);
    try {
      const { status } = await guardedPost({
        url: options.url,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'headwater',
          ...options.signer?.sign(event.id, options.clock.nowMs(), body),
        },
        body,
        signal: over.signal,
        maxReplyBytes: 0,
        allowPrivate: options.allowPrivate,
        ...(options.resolve !== undefined && { resolve: options.resolve }),
      });
      if (status >= 200 && status < 300) return { delivered: true };
      return { delivered: false, reason: `the webhook answered ${status}` };
    } catch (error) {
      const why = error instanceof GuardedPostError ? error.message : 'the request could not be made';
      return { delivered: false, reason: `the webhook was not reached: ${why}` };
    } finally {
      clearTimeout(deadline);
    }
  };
}
