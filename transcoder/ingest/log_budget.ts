/**
 * A logger that lets only so many lines per second through, so that a flood of bad connections is no flood of the log.
 * Errors always pass.
 */
import type { IngestLogger } from './ingest_options.ts';

export class LogBudget implements IngestLogger {
  readonly #logger: IngestLogger;
  readonly #linesPerSecond: number;
  readonly #monotonicMs: () => number;
  #second = 0;
  #lines = 0;
  #suppressed = 0;

  constructor(logger: IngestLogger, linesPerSecond: number, monotonicMs: () => number) {
    this.#logger = logger;
    this.#linesPerSecond = linesPerSecond;
    this.#monotonicMs = monotonicMs;
  }

  info(fields: Readonly<Record<string, unknown>>, message: string): void {
    if (this.#spend()) this.#logger.info(fields, message);
  }

  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    if (this.#spend()) this.#logger.warn(fields, message);
  }

  error(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#logger.error(fields, message);
  }

  /** @returns whether there is a line left in this second */
  #spend(): boolean {
    const second = Math.floor(this.#monotonicMs() / 1000);
    if (second !== this.#second) {
      if (this.#suppressed > 0) this.#logger.warn({ lines: this.#suppressed }, 'ingest: log lines left out');
      this.#second = second;
      this.#lines = 0;
      this.#suppressed = 0;
    }
    if (this.#lines >= this.#linesPerSecond) {
      this.#suppressed += 1;
      return false;
    }
    this.#lines += 1;
    return true;
  }
}
