/**
 * The outbox on Redis: a list of events per stream, and a set of the streams that may hold some.
 */
import * as z from 'zod/mini';
import type { NotifyReply } from '../../contracts/function_calls.ts';
import { parseStreamId } from '../../contracts/ids.ts';
import type { StreamId } from '../../contracts/ids.ts';
import { HEALTH_TYPES, healthEventSchema, lifecycleEventSchema } from '../../contracts/lifecycle_event.ts';
import type { HealthEvent, LifecycleEvent, Notification } from '../../contracts/lifecycle_event.ts';
import { parsePayload } from '../../contracts/schema.ts';
import type { EventOutbox, Leftover } from '../outbox.ts';
import { strings } from './redis_calls.ts';
import type { RedisCalls } from './redis_calls.ts';
import { FLEET, healthKeys, outboxKey, streamKeys } from './redis_keys.ts';

/** How an event lies in the list: without its stream, with its time in ms. */
const storedSchema = z.looseObject({ type: z.string(), atMs: z.number() });

function readEvent(text: string, streamId: StreamId): LifecycleEvent | HealthEvent {
  const { atMs, ...event } = parsePayload(storedSchema, JSON.parse(text), 'event');
  const whole = { ...event, streamId, timestamp: new Date(atMs).toISOString() };
  return isHealth(event.type)
    ? parsePayload(healthEventSchema, whole, 'event')
    : parsePayload(lifecycleEventSchema, whole, 'event');
}

function isHealth(type: string): boolean {
  return HEALTH_TYPES.some((health) => health === type);
}

/** Ids and times, flat, as ZRANGE gives them. */
export function readMarks(value: unknown): readonly Leftover[] {
  const flat = strings(value);
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    streamId: parseStreamId(flat[2 * index]),
    mark: flat[2 * index + 1] ?? '',
  }));
}

export class RedisOutbox implements EventOutbox {
  readonly #calls: RedisCalls;

  constructor(calls: RedisCalls) {
    this.#calls = calls;
  }

  async notify({ id, type, streamId, sessionId, epoch, data }: Notification): Promise<NotifyReply> {
    const outcome = await this.#calls.noted(streamId, {
      script: this.#calls.events.notify,
      keys: [...streamKeys(streamId), ...healthKeys(streamId)],
      args: [this.#calls.offset, id, type, sessionId, JSON.stringify(data), String(epoch), isHealth(type) ? '1' : '0'],
    });
    if (outcome === 'stale') return { outcome };
    this.#calls.unsent.add(streamId);
    return { outcome: 'noted' };
  }

  async append(event: Omit<LifecycleEvent, 'sequence' | 'timestamp'>): Promise<boolean> {
    const { id, type, streamId, sessionId, data } = event;
    const result = await this.#calls.noted(streamId, {
      script: this.#calls.events.append,
      keys: streamKeys(streamId),
      args: [this.#calls.offset, id, type, sessionId, JSON.stringify(data)],
    });
    this.#calls.unsent.add(streamId);
    return result === '1';
  }

  takeUnsent(): readonly StreamId[] {
    const unsent = [...this.#calls.unsent];
    this.#calls.unsent.clear();
    return unsent;
  }

  async next(streamId: StreamId, takenId = ''): Promise<LifecycleEvent | HealthEvent | undefined> {
    const [head] = await this.#calls.redis.run([
      { script: this.#calls.events.next, keys: this.#lists(streamId), args: [takenId] },
    ]);
    return typeof head === 'string' ? readEvent(head, streamId) : undefined;
  }

  async discard(streamId: StreamId): Promise<void> {
    await this.#calls.redis.run([{ script: this.#calls.events.discard, keys: this.#lists(streamId), args: [] }]);
  }

  async leftovers(limit: number): Promise<readonly Leftover[]> {
    const args = [this.#calls.offset, String(limit)];
    const [flat] = await this.#calls.redis.run([{ script: this.#calls.fleet.leftovers, keys: [FLEET.outboxes], args }]);
    return readMarks(flat);
  }

  async settle({ streamId, mark }: Leftover): Promise<void> {
    const args = [this.#calls.offset, streamId, mark];
    await this.#calls.redis.run([{ script: this.#calls.fleet.forget, keys: [FLEET.outboxes], args }]);
  }

  #lists(streamId: StreamId): readonly string[] {
    return [outboxKey(streamId), healthKeys(streamId)[0]];
  }
}
