/**
 * Where events wait for their delivery: SQS in the cloud, a file on one machine. The outbox hands over here, and forgets
 * an event only when the queue has it.
 */
import type { HealthEvent, LifecycleEvent } from '../../contracts/lifecycle_event.ts';

/** Both methods reject when the queue did not take the event; sending it again under the same id is one event. */
export interface EventQueue {
  /** Delivered in order per stream, for at least 24 h of a receiver's absence. */
  send(event: LifecycleEvent): Promise<void>;
  /** Delivered when it is still news, in no order. */
  sendHealth(event: HealthEvent): Promise<void>;
}
