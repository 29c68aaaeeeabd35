/**
 * A clock that tests move by hand.
 */
import type { Clock } from '../../clock.ts';

interface Timer {
  dueMs: number;
  readonly periodMs: number | undefined;
  readonly action: () => void;
}

export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  wallMs(): number {
    return 1_800_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: undefined, action });
  }

  every(periodMs: number, action: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, action });
  }

  /** Lets the time pass; what is due runs in its order, and promises settle in between. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const next = [...this.#timers].toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.periodMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.periodMs;
      next.action();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** Resolves when the promises that are ready have run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
