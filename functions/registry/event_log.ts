/**
 * What the registry in memory keeps of one stream's events: the sequence, which ids there were, and what no queue has
 * taken yet. All of it is bounded.
 */
import type { StreamId } from '../../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { HEALTH_KEPT_MS, MOST_EVENT_IDS, MOST_EVENTS, MOST_HEALTH_EVENTS } from './registry_times.ts';
import type { RegistryTimes } from './registry_times.ts';
import type { NewEvent } from './session_events.ts';

/** Forgets the oldest ids beyond `most`, and those that are too old. */
function trim(ids: Map<string, number>, most: number, oldestMs: number): void {
  for (const [id, atMs] of ids) {
    if (ids.size <= most && atMs >= oldestMs) return;
    ids.delete(id);
  }
}

export class EventLog {
  readonly #streamId: StreamId;
  readonly #times: RegistryTimes;
  /** Of the last event. */
  #sequence: number | undefined;
  /** Ids of events, and when they were made; oldest first. */
  readonly #ids = new Map<string, number>();
  readonly #healthIds = new Map<string, number>();
  #outbox: LifecycleEvent[] = [];
  #lastAtMs = 0;
  #health: HealthEvent[] = [];

  constructor(streamId: StreamId, times: RegistryTimes) {
    this.#streamId = streamId;
    this.#times = times;
  }

  /** When the last event was made, ms since 1970. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  get isEmpty(): boolean {
    return this.#outbox.length === 0 && this.#health.length === 0;
  }

  /** False: there was an event of this id. */
  append({ id, type, sessionId, data }: NewEvent, nowMs: number): boolean {
    trim(this.#ids, MOST_EVENT_IDS, nowMs - this.#times.eventsKeptMs);
    if (this.#ids.has(id)) return false;
    this.#ids.set(id, nowMs);
    this.#lastAtMs = nowMs;
    // A registry that was emptied has forgotten the number; the clock in ms lies above whatever was used.
    this.#sequence = this.#sequence === undefined ? Math.floor(nowMs) : this.#sequence + 1;
    const timestamp = new Date(nowMs).toISOString();
    this.#outbox.push({ id, type, streamId: this.#streamId, sessionId, sequence: this.#sequence, timestamp, data });
    if (this.#outbox.length > MOST_EVENTS) this.#outbox.shift();
    return true;
  }

  appendHealth(event: Omit<HealthEvent, 'timestamp' | 'streamId'>, nowMs: number): void {
    trim(this.#healthIds, MOST_EVENT_IDS, nowMs - HEALTH_KEPT_MS);
    if (this.#healthIds.has(event.id)) return;
    this.#healthIds.set(event.id, nowMs);
    this.#lastAtMs = nowMs;
    this.#health.push({ ...event, streamId: this.#streamId, timestamp: new Date(nowMs).toISOString() });
    if (this.#health.length > MOST_HEALTH_EVENTS) this.#health.shift();
  }

  next(takenId: string | undefined): LifecycleEvent | HealthEvent | undefined {
    if (takenId !== undefined && this.#outbox[0]?.id === takenId) this.#outbox.shift();
    else if (takenId !== undefined && this.#health[0]?.id === takenId) this.#health.shift();
    return this.#outbox[0] ?? this.#health[0];
  }

  discard(): void {
    this.#outbox = [];
    this.#health = [];
  }
}
