/**
 * A clock for one loop that works, waits and works again: a test lets it do one round at a time.
 */
export class SteppingClock {
  #nowMs = 0;
  #waiting: { readonly delayMs: number; readonly action: () => void } | undefined;
  #onWait: (() => void) | undefined;

  readonly monotonicMs = (): number => this.#nowMs;

  readonly after = (delayMs: number, action: () => void): (() => void) => {
    this.#waiting = { delayMs, action };
    this.#onWait?.();
    return () => {
      this.#waiting = undefined;
    };
  };

  /** Resolves when the loop waits; with how long it means to, ms. */
  async waits(): Promise<number> {
    if (this.#waiting === undefined) await new Promise<void>((resolve) => (this.#onWait = resolve));
    return this.#waiting?.delayMs ?? 0;
  }

  /** One round: the time passes, and the loop works until it waits again. */
  async round(): Promise<void> {
    await this.waits();
    this.release();
    await this.waits();
  }

  /** The time passes; what the loop then does is not waited for. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#nowMs += waiting?.delayMs ?? 0;
    waiting?.action();
  }

  get idle(): boolean {
    return this.#waiting === undefined;
  }
}
