/**
 * Average bitrate over a sliding window, from a byte counter that is looked at now and then.
 */
export class BitrateMeter {
  readonly #windowMs: number;
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /**
   * @param bytes counted so far
   * @returns bits per second over the window, undefined until one window has been seen
   */
  sample(atMs: number, bytes: number): number | undefined {
    this.#samples.push({ atMs, bytes });
    // Keeps the youngest sample that is at least one window old as the start.
    while (this.#samples[1] !== undefined && atMs - this.#samples[1].atMs >= this.#windowMs) this.#samples.shift();
    const start = this.#samples[0];
    if (start === undefined || atMs - start.atMs < this.#windowMs) return undefined;
    return ((bytes - start.bytes) * 8000) / (atMs - start.atMs);
  }

  reset(): void {
    this.#samples = [];
  }
}
