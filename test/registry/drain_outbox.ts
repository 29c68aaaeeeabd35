/**
 * Takes all that a stream's outbox holds, as a pump does.
 */
import type { HealthEvent, LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { healthEventSchema, lifecycleEventSchema } from '../../contracts/lifecycle_event.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { SHOW } from './registry_calls.ts';
import type { RegistryUnderTest } from './registry_under_test.ts';

/** Each of it is a valid event. */
export async function drainOutbox(
  { registry }: RegistryUnderTest,
  streamId = SHOW,
): Promise<(LifecycleEvent | HealthEvent)[]> {
  const events: (LifecycleEvent | HealthEvent)[] = [];
  let event = await registry.next(streamId);
  while (event !== undefined) {
    events.push(parsePayload('sequence' in event ? lifecycleEventSchema : healthEventSchema, event, 'event'));
    event = await registry.next(streamId, event.id);
  }
  return events;
}
