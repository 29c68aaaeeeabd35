/**
 * The queue of events on a machine without SQS: an SQLite file, so that nothing is lost when the program ends or the
 * power fails. Other programs (`hw dlq`) may open the same file.
 */
import { DatabaseSync } from 'node:sqlite';
import type { HealthEvent, LifecycleEvent } from '../contracts/lifecycle_event.ts';
import type { EventQueue } from '../functions/events/event_queue.ts';

export interface WaitingEvent {
  /** Position in the file: a stream's events are delivered in this order. */
  readonly position: number;
  readonly event: LifecycleEvent | HealthEvent;
  readonly inOrder: boolean;
  /** Deliveries that failed so far. */
  readonly attempts: number;
  /** ms since 1970. */
  readonly dueAtMs: number;
}

export interface DeadEvent {
  readonly event: LifecycleEvent;
  readonly attempts: number;
  /** ms since 1970. */
  readonly gaveUpAtMs: number;
}

/** How long a delivered event's id is known, so that it is not taken again: as long as SQS keeps messages at most, ms. */
const KNOWN_MS = 14 * 24 * 3_600_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS event (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    stream TEXT NOT NULL,
    in_order INTEGER NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    settled_at_ms INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS event_by_state ON event (state, stream, position);
`;

/** First of each stream's session events, and all health events: a later one does not overtake. */
const HEADS = `
  SELECT position, body, in_order, attempts, due_at_ms FROM event
  WHERE state = 'waiting' AND (in_order = 0 OR position IN
    (SELECT MIN(position) FROM event WHERE state = 'waiting' AND in_order = 1 GROUP BY stream))
  ORDER BY position LIMIT 500`;

/** The last word about each stream's sessions where that is not their end, with the stream's last sequence. */
const LEFT_OPEN = `
  SELECT body, (SELECT MAX(body ->> '$.sequence') FROM event AS any WHERE any.stream = event.stream AND in_order = 1)
    AS sequence FROM event
  WHERE position IN (SELECT MAX(position) FROM event WHERE in_order = 1 AND body ->> '$.type' LIKE 'stream.%' GROUP BY stream)
    AND body ->> '$.type' <> 'stream.ended'
  ORDER BY position`;

export class EventFile implements EventQueue {
  readonly #db: DatabaseSync;
  readonly #nowMs: () => number;
  #onSent: () => void = () => undefined;

  /** @param path of the file; made when it is not there. @throws Error when it cannot be opened or is no such file */
  constructor(path: string, nowMs: () => number) {
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#nowMs = nowMs;
    // Durable at each commit; readers of another process are not blocked.
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    this.#db.exec(SCHEMA);
  }

  /** @param listener called after an event was taken */
  onSent(listener: () => void): void {
    this.#onSent = listener;
  }

  send(event: LifecycleEvent): Promise<void> {
    return this.#take(event, true);
  }

  sendHealth(event: HealthEvent): Promise<void> {
    return this.#take(event, false);
  }

  /** Those whose turn it is in their stream, due or not. */
  heads(): readonly WaitingEvent[] {
    return this.#db
      .prepare(HEADS)
      .all()
      .map((row) => ({
        position: Number(row['position']),
        event: JSON.parse(String(row['body'])) as LifecycleEvent | HealthEvent,
        inOrder: row['in_order'] === 1,
        attempts: Number(row['attempts']),
        dueAtMs: Number(row['due_at_ms']),
      }));
  }

  /** Sessions that were told to be live, and not to have ended; `sequence` is the last one of their stream. */
  leftOpen(): readonly Pick<LifecycleEvent, 'streamId' | 'sessionId' | 'sequence'>[] {
    return this.#db
      .prepare(LEFT_OPEN)
      .all()
      .map((row) => {
        const { streamId, sessionId } = JSON.parse(String(row['body'])) as LifecycleEvent;
        return { streamId, sessionId, sequence: Number(row['sequence']) };
      });
  }

  delivered(position: number): void {
    this.#settle(position, 'delivered');
    this.#db.prepare("DELETE FROM event WHERE state = 'delivered' AND settled_at_ms < ?").run(this.#nowMs() - KNOWN_MS);
  }

  postpone(position: number, dueAtMs: number): void {
    this.#db
      .prepare('UPDATE event SET attempts = attempts + 1, due_at_ms = ? WHERE position = ?')
      .run(Math.ceil(dueAtMs), position);
  }

  /** To the dead-letter queue: it stays there until it is replayed. */
  giveUp(position: number): void {
    this.#settle(position, 'dead');
  }

  dead(): readonly DeadEvent[] {
    return this.#db
      .prepare("SELECT body, attempts, settled_at_ms FROM event WHERE state = 'dead' ORDER BY position")
      .all()
      .map((row) => ({
        event: JSON.parse(String(row['body'])) as LifecycleEvent,
        attempts: Number(row['attempts']),
        gaveUpAtMs: Number(row['settled_at_ms']),
      }));
  }

  /** Has all dead events tried again from the first attempt on. @returns how many */
  replay(): number {
    const { changes } = this.#db
      .prepare(
        "UPDATE event SET state = 'waiting', attempts = 0, due_at_ms = ?, settled_at_ms = NULL WHERE state = 'dead'",
      )
      .run(Math.floor(this.#nowMs()));
    return Number(changes);
  }

  /** Changes when another program wrote to the file. */
  get version(): number {
    return Number(this.#db.prepare('PRAGMA data_version').get()?.['data_version']);
  }

  close(): void {
    this.#db.close();
  }

  #take(event: LifecycleEvent | HealthEvent, inOrder: boolean): Promise<void> {
    try {
      this.#db
        .prepare(
          'INSERT INTO event (id, stream, in_order, body, due_at_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
        )
        .run(event.id, event.streamId, inOrder ? 1 : 0, JSON.stringify(event), Math.floor(this.#nowMs()));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    this.#onSent();
    return Promise.resolve();
  }

  #settle(position: number, state: 'delivered' | 'dead'): void {
    this.#db
      .prepare('UPDATE event SET attempts = attempts + 1, state = ?, settled_at_ms = ? WHERE position = ?')
      .run(state, Math.floor(this.#nowMs()), position);
  }
}
