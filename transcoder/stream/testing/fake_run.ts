/**
 * An epoch's run without FFmpeg: it remembers what it was given, and does what the test says.
 */
import type { MediaTag } from '../../flv/media_tag.ts';
import type { EpochRun, EpochRunOptions } from '../epoch_run.ts';

export class FakeRun implements EpochRun {
  readonly options: EpochRunOptions;
  readonly written: MediaTag[] = [];
  hasOutput = false;
  lagMs = 0;
  lastOutputAtMs: number;
  killed = false;
  finished = false;
  /** What `finish` waits for. */
  flushed: Promise<void> = Promise.resolve();

  constructor(options: EpochRunOptions, nowMs: number) {
    this.options = options;
    this.lastOutputAtMs = nowMs;
  }

  get epoch() {
    return this.options.epoch;
  }

  get plan() {
    return this.options.plan;
  }

  /** The first part is out. */
  live(): void {
    this.hasOutput = true;
    this.options.onFirstOutput();
  }

  write(tag: MediaTag): void {
    this.written.push(tag);
  }

  async finish(): Promise<void> {
    this.finished = true;
    await this.flushed;
  }

  kill(): void {
    this.killed = true;
  }

  flushLate(): void {
    // Nothing ever waits here.
  }

  hold(): boolean {
    return this.hasOutput;
  }
}
