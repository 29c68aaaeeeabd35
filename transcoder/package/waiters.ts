/**
 * Those who wait for the window to change: each has a condition, and is let go when it holds, after a time limit, or
 * when its signal aborts. Nobody polls.
 */
interface Waiter {
  readonly ready: () => boolean;
  readonly settle: (reached: boolean) => void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();
  readonly #limit: number;

  /** @param limit waiters at once; those beyond it are let go immediately */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** True when `ready` holds; false after `timeoutMs`, on abort, or when too many wait. */
  async until(ready: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (ready()) return true;
    if (signal.aborted || this.#waiting.size >= this.#limit) return false;
    return new Promise<boolean>((resolve) => {
      const giveUp = (): void => waiter.settle(false);
      const timer = setTimeout(giveUp, timeoutMs);
      const waiter: Waiter = {
        ready,
        settle: (reached) => {
          this.#waiting.delete(waiter);
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
          resolve(reached);
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** Something changed: lets go those whose condition holds now. */
  wake(): void {
    for (const waiter of this.#waiting) if (waiter.ready()) waiter.settle(true);
  }
}
