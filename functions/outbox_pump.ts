/**
 * Hands events from the outbox to the queue, oldest first, and strikes off what the queue took.
 *
 * Several pumps may work on one stream at once, in one process or in many. Each sends an event only after it sent the
 * one before, or after it found that one struck off because the queue had it. So the queue takes every event for the
 * first time in order, and whatever comes again it knows by its id (SQS FIFO for five minutes, which is far more than a
 * pump takes between reading and sending; the local queue for ever). No lock is needed, and none can be left behind.
 */
import type { StreamId } from '../contracts/ids.ts';
import type { EventQueue } from './events/event_queue.ts';
import type { EventOutbox } from './outbox.ts';

export interface OutboxPumpOptions {
  readonly outbox: EventOutbox;
  /** Undefined: nobody wants to be told, and what the outbox holds is thrown away. */
  readonly queue: EventQueue | undefined;
  readonly clock: {
    /** ms, never going back. */
    readonly monotonicMs: () => number;
    /** Calls `act` once, after so many ms, unless the function that it gives is called before. */
    readonly after: (ms: number, act: () => void) => () => void;
  };
  /** Told of what the queue or the registry refused; the events stay where they are. */
  readonly onError: (streamId: StreamId | undefined, error: unknown) => void;
}

/** Neither method rejects. */
export interface OutboxPump {
  /**
   * Hands over what the calls made through this outbox left in it. Takes a second at most: a queue that is slow holds no
   * answer of the registry up, and what it did not take is found again.
   */
  afterCall(): Promise<void>;
  /** Hands over what earlier calls left, which were broken off or had no queue to hand it to. Run every minute. */
  sweep(): Promise<void>;
}

/** A registry's answer does not wait longer than this for its events, ms. */
const CALL_BUDGET_MS = 1_000;
const SWEEP_BUDGET_MS = 20_000;
/** After the queue refused, calls leave their events to a later one for this long, ms. */
const PAUSE_MS = 5_000;
const MOST_LEFTOVERS = 1_000;
const STREAMS_AT_ONCE = 8;

class Pump implements OutboxPump {
  readonly #options: OutboxPumpOptions;
  /** What is under way in this process, by stream. */
  readonly #running = new Map<StreamId, Promise<boolean>>();
  #pausedUntilMs = -Infinity;

  constructor(options: OutboxPumpOptions) {
    this.#options = options;
  }

  async afterCall(): Promise<void> {
    const streams = this.#options.outbox.takeUnsent();
    const nowMs = this.#options.clock.monotonicMs();
    // The heartbeats of live streams, and the sweep, find them again.
    if (streams.length === 0 || nowMs < this.#pausedUntilMs) return;
    const { promise: budgetIsSpent, resolve: spend } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(CALL_BUDGET_MS, () => {
      this.#pause();
      this.#options.onError(undefined, new Error(`events were not taken within ${CALL_BUDGET_MS} ms`));
      spend();
    });
    const work = this.#each(streams, (streamId) => this.#inTurn(streamId, nowMs + CALL_BUDGET_MS));
    await Promise.race([work, budgetIsSpent]);
    cancel();
  }

  async sweep(): Promise<void> {
    const { outbox, clock, onError } = this.#options;
    const deadlineMs = clock.monotonicMs() + SWEEP_BUDGET_MS;
    try {
      const leftovers = await outbox.leftovers(MOST_LEFTOVERS);
      await this.#each(leftovers, async (leftover) => {
        if (!(await this.#inTurn(leftover.streamId, deadlineMs))) return;
        await outbox.settle(leftover);
      });
    } catch (error) {
      onError(undefined, error);
    }
  }

  #pause(): void {
    this.#pausedUntilMs = this.#options.clock.monotonicMs() + PAUSE_MS;
  }

  async #each<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
    const left = [...items];
    await Promise.all(
      Array.from({ length: Math.min(STREAMS_AT_ONCE, left.length) }, async () => {
        for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
      }),
    );
  }

  /** One at a time per stream in this process. @returns whether the outbox is empty */
  async #inTurn(streamId: StreamId, deadlineMs: number): Promise<boolean> {
    for (let before = this.#running.get(streamId); before !== undefined; before = this.#running.get(streamId)) {
      await before;
    }
    const run = this.#empty(streamId, deadlineMs);
    this.#running.set(streamId, run);
    try {
      return await run;
    } finally {
      this.#running.delete(streamId);
    }
  }

  async #empty(streamId: StreamId, deadlineMs: number): Promise<boolean> {
    const { outbox, queue, clock, onError } = this.#options;
    try {
      if (queue === undefined) {
        await outbox.discard(streamId);
        return true;
      }
      let event = await outbox.next(streamId);
      while (event !== undefined) {
        if (clock.monotonicMs() >= deadlineMs) return false;
        await ('sequence' in event ? queue.send(event) : queue.sendHealth(event));
        event = await outbox.next(streamId, event.id);
      }
      return true;
    } catch (error) {
      this.#pause();
      onError(streamId, error);
      return false;
    }
  }
}

export function createOutboxPump(options: OutboxPumpOptions): OutboxPump {
  return new Pump(options);
}
