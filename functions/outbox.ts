/**
 * The outbox: events that the registry wrote together with the transitions they tell of, until a queue has taken them.
 * Both registries implement it; the pump empties it.
 */
import type { NotifyReply } from '../contracts/function_calls.ts';
import type { StreamId } from '../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent, Notification } from '../contracts/lifecycle_event.ts';

/** A stream that may have events left, and the mark by which that is struck off. */
export interface Leftover {
  readonly streamId: StreamId;
  readonly mark: string;
}

/** Every method that returns a promise rejects when the registry cannot be reached. */
export interface EventOutbox {
  /** Makes an event of what a stream's owner reports. `stale`: a newer epoch stands there, nothing was made. */
  notify(notification: Notification): Promise<NotifyReply>;
  /** Makes an event that follows from no transition. False: there was one under this id (of the last 512, of 14 days). */
  append(event: Omit<LifecycleEvent, 'sequence' | 'timestamp'>): Promise<boolean>;
  /** Streams whose outbox was seen to hold something by calls made through this object since this was last asked. */
  takeUnsent(): readonly StreamId[];
  /**
   * Strikes off the event that the queue took, if it still stands first, and looks at what stands first then: the
   * stream's oldest event, or when there is none its oldest health event.
   */
  next(streamId: StreamId, takenId?: string): Promise<LifecycleEvent | HealthEvent | undefined>;
  /** Forgets what the stream's outbox holds. */
  discard(streamId: StreamId): Promise<void>;
  /** Streams that calls of more than 30 s ago may have made events for, oldest first. */
  leftovers(limit: number): Promise<readonly Leftover[]>;
  /** Strikes a stream off those, unless a call was made for it since. */
  settle(leftover: Leftover): Promise<void>;
}
