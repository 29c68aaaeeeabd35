/**
 * Brings the events of the file to the operator's webhook: each stream's one after the other, streams side by side, with
 * the same delivery, pauses and end as in the cloud.
 */
import { HEALTH_NEWS_MS, MAX_ATTEMPTS, pauseAfter } from '../functions/events/event_delivery.ts';
import type { DeliverEvent } from '../functions/events/event_delivery.ts';
import type { EventFile, WaitingEvent } from './event_file.ts';

export interface EventDelivererOptions {
  readonly file: EventFile;
  readonly deliver: DeliverEvent;
  /** One line; fields hold no secret. */
  readonly log: (level: 'info' | 'warn', message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** ms since 1970. */
  readonly nowMs: () => number;
  /** Deliveries at once. */
  readonly maxAtOnce?: number;
  /** How often the file is looked at for what another program did, ms. */
  readonly lookEveryMs?: number;
}

const MAX_AT_ONCE = 8;
const LOOK_EVERY_MS = 5_000;
/** The longest time that a timer is set for, ms. */
const LONGEST_SLEEP_MS = 60_000;
/** A file that cannot be read or written, such as on a full disk, is tried again after this time, ms. */
const FILE_PAUSE_MS = 10_000;

export class EventDeliverer {
  readonly #options: EventDelivererOptions;
  readonly #underWay = new Map<number, Promise<void>>();
  readonly #look: NodeJS.Timeout;
  #version: number;
  #timer: NodeJS.Timeout | undefined;
  #pausedUntilMs = -Infinity;
  #closed = false;

  constructor(options: EventDelivererOptions) {
    this.#options = options;
    this.#version = options.file.version;
    options.file.onSent(() => this.#wake());
    this.#look = setInterval(() => this.#lookAtFile(), options.lookEveryMs ?? LOOK_EVERY_MS);
    this.#look.unref();
    this.#wake();
  }

  /** Waits for what is under way; the rest stays in the file. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    clearTimeout(this.#timer);
    await Promise.all(this.#underWay.values());
  }

  /** Never throws: it is called by timers. */
  #wake(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const nowMs = this.#options.nowMs();
    if (nowMs < this.#pausedUntilMs) {
      this.#wakeIn(this.#pausedUntilMs - nowMs);
      return;
    }
    try {
      this.#beginDue(nowMs);
    } catch (error) {
      this.#fileFailed(error);
      this.#wakeIn(FILE_PAUSE_MS);
    }
  }

  /** @throws Error of the file */
  #beginDue(nowMs: number): void {
    const heads = this.#options.file.heads().filter(({ position }) => !this.#underWay.has(position));
    const room = (this.#options.maxAtOnce ?? MAX_AT_ONCE) - this.#underWay.size;
    for (const waiting of heads.filter(({ dueAtMs }) => dueAtMs <= nowMs).slice(0, Math.max(0, room))) {
      const attempt = this.#attempt(waiting)
        // What the file did not take down is delivered again: the receiver knows it by its id.
        .catch((error: unknown) => this.#fileFailed(error))
        .finally(() => {
          this.#underWay.delete(waiting.position);
          this.#wake();
        });
      this.#underWay.set(waiting.position, attempt);
    }
    const next = Math.min(...heads.filter(({ dueAtMs }) => dueAtMs > nowMs).map(({ dueAtMs }) => dueAtMs));
    if (next !== Number.POSITIVE_INFINITY) this.#wakeIn(next - nowMs);
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake(), Math.min(LONGEST_SLEEP_MS, ms));
    this.#timer.unref();
  }

  #fileFailed(error: unknown): void {
    this.#pausedUntilMs = this.#options.nowMs() + FILE_PAUSE_MS;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log('warn', 'the file of events cannot be used', { reason, againInSeconds: FILE_PAUSE_MS / 1000 });
  }

  #lookAtFile(): void {
    try {
      const { version } = this.#options.file;
      if (version === this.#version) return;
      this.#version = version;
    } catch (error) {
      this.#fileFailed(error);
    }
    this.#wake();
  }

  async #attempt({ position, event, inOrder, attempts }: WaitingEvent): Promise<void> {
    const { file, deliver, log, nowMs } = this.#options;
    const fields = { eventId: event.id, type: event.type, streamId: event.streamId, attempts: attempts + 1 };
    if (!inOrder && nowMs() - Date.parse(event.timestamp) > HEALTH_NEWS_MS) {
      file.delivered(position);
      log('warn', 'a health event was dropped: it is no news any more', fields);
      return;
    }
    const result = await deliver(event);
    if (result.delivered) {
      file.delivered(position);
      log('info', 'event delivered', fields);
    } else if (attempts + 1 >= MAX_ATTEMPTS) {
      file.giveUp(position);
      log('warn', 'event given up: it waits in the dead-letter queue', { ...fields, reason: result.reason });
    } else {
      const seconds = pauseAfter(attempts + 1);
      file.postpone(position, nowMs() + seconds * 1000);
      log('warn', 'event not delivered', { ...fields, reason: result.reason, againInSeconds: seconds });
    }
  }
}
