/**
 * One relay: keeps a target supplied for as long as the session wants it. Connects, goes on after failures with growing
 * pauses, waits while the publisher is away, and says how it stands.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { RelayConnection } from './relay_connection.ts';
import type { RelayNetwork } from './relay_connection.ts';
import type { RelayCounters, RelayState } from './relay_counters.ts';
import type { RelayFailure } from './relay_error.ts';
import type { RelayFeed } from './relay_feed.ts';
import type { PlannedRelay } from './relay_plan.ts';
import { pauseAfter } from './relay_pause.ts';
import { RelayQueue } from './relay_queue.ts';

export interface RelayOptions {
  readonly planned: PlannedRelay;
  readonly feed: RelayFeed;
  readonly network: RelayNetwork;
  readonly counters: RelayCounters;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Called once when it begins to fail, not at every further attempt. */
  readonly onFailing: (relay: string, failure: RelayFailure) => void;
}

/** Live for this long, a relay has recovered: a failure after it is a new one, ms. */
const RECOVERED_MS = 30_000;

export class Relay {
  readonly planned: PlannedRelay;
  readonly #options: RelayOptions;
  readonly #logger: Logger;
  #state: RelayState = 'connecting';
  #connection: RelayConnection | undefined;
  #leaveFeed: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;
  #liveSinceMs: number | undefined;
  /** Failures in a row. */
  #failures = 0;
  #wanted = true;
  #ended = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.planned = options.planned;
    this.#logger = options.logger.child({ relay: options.planned.name });
    options.counters.states.connecting += 1;
    this.#connect();
  }

  get state(): RelayState {
    return this.#state;
  }

  /** The publisher is there (again). */
  resume(): void {
    this.#wanted = true;
    if (this.#connection === undefined && this.#cancelPause === undefined) this.#connect();
  }

  /** The publisher is away: the connection is kept, but not made anew. */
  idle(): void {
    this.#wanted = false;
  }

  /** The publisher is away for so long that the target is told goodbye; `resume` begins again. */
  async rest(): Promise<void> {
    this.idle();
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    const connection = this.#connection;
    this.#release();
    if (this.#state === 'live') this.#become('connecting');
    await connection?.finish();
  }

  /** For good. Resolves when the target was told. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.rest();
    this.#options.counters.states[this.#state] -= 1;
  }

  #connect(): void {
    const { planned, network, feed, clock } = this.#options;
    this.#cancelPause = undefined;
    const connection: RelayConnection = new RelayConnection({
      endpoint: planned.endpoint,
      network,
      fourCcs: feed.fourCcs,
      clock,
      handlers: {
        live: (messageStreamId) => this.#live(connection, messageStreamId),
        failed: (failure) => this.#failed(failure),
      },
    });
    this.#connection = connection;
  }

  #live(connection: RelayConnection, messageStreamId: number): void {
    const { feed, counters, clock } = this.#options;
    counters.published += 1;
    this.#liveSinceMs = clock.monotonicMs();
    this.#leaveFeed = feed.join(messageStreamId, (backlog) => {
      const queue = new RelayQueue(
        {
          queuedBytes: () => connection.queuedBytes,
          send: (bytes) => {
            counters.sentBytes += bytes.length;
            connection.send(bytes);
          },
          headers: (timestampMs) => feed.headers(messageStreamId, timestampMs).bytes,
          dropped: () => (counters.droppedMessages += 1),
        },
        backlog,
      );
      return (batch) => queue.push(batch);
    });
    this.#become('live');
    this.#logger.info({ state: 'live', afterFailures: this.#failures }, 'relay is live');
  }

  #failed(failure: RelayFailure): void {
    const { counters, clock, random, onFailing } = this.#options;
    const recovered = this.#liveSinceMs !== undefined && clock.monotonicMs() - this.#liveSinceMs >= RECOVERED_MS;
    this.#release();
    counters.failures[failure.failureClass] += 1;
    // Silence makes some targets hang up. The publisher's return begins anew.
    if (!this.#wanted) {
      this.#become('connecting');
      return;
    }
    if (recovered) this.#failures = 0;
    this.#failures += 1;
    const pauseMs = pauseAfter(this.#failures, random());
    const fields = { state: 'failing', reason: failure.message, failures: this.#failures, retryInMs: pauseMs };
    this.#become('failing');
    if (this.#failures === 1) {
      this.#logger.warn(fields, 'relay is failing');
      onFailing(this.planned.name, failure);
    } else this.#logger.debug(fields, 'relay is failing');
    this.#cancelPause = clock.after(pauseMs, () => {
      this.#cancelPause = undefined;
      if (this.#wanted) this.#connect();
      else this.#become('connecting');
    });
  }

  #release(): void {
    this.#leaveFeed?.();
    this.#leaveFeed = undefined;
    this.#connection = undefined;
    this.#liveSinceMs = undefined;
  }

  #become(state: RelayState): void {
    const { states } = this.#options.counters;
    states[this.#state] -= 1;
    states[state] += 1;
    this.#state = state;
  }
}
