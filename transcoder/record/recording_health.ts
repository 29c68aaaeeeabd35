/**
 * Says when a session's recording is failing, and when it has recovered: once each, loudly.
 */
import type { Clock } from '../clock.ts';
import type { QueuedUpload } from './upload.ts';

export interface RecordingTrouble {
  readonly reason: string;
  /** Segments that are not stored yet, or were lost. */
  readonly waiting: number;
  readonly lost: number;
  /** How long the oldest has waited, ms. */
  readonly oldestMs: number;
}

export interface RecordingHealthOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Why the store's last attempt failed, if it did. */
  readonly failure: () => string | undefined;
  readonly failing: (trouble: RecordingTrouble) => void;
  readonly recovered: (lost: number) => void;
}

/** A segment that waits this long after a failed attempt means trouble, ms. */
const FAILED_MS = 3000;
/** One that waits this long does so in any case: the store does not answer. */
const SLOW_MS = 8000;

export class RecordingHealth {
  readonly #options: RecordingHealthOptions;
  /** In the order in which they came. */
  readonly #waiting = new Set<QueuedUpload>();
  #lost = 0;
  #saidLost = false;
  #failing = false;

  constructor(options: RecordingHealthOptions) {
    this.#options = options;
  }

  get isFailing(): boolean {
    return this.#failing;
  }

  watch(item: QueuedUpload): void {
    this.#waiting.add(item);
    void this.#follow(item);
  }

  async #follow(item: QueuedUpload): Promise<void> {
    const outcome = await item.settled;
    this.#waiting.delete(item);
    if (outcome === 'lost') this.#lost += 1;
    this.look();
  }

  /** To be called about once a second. */
  look(): void {
    const oldest = this.#waiting.values().next().value;
    const oldestMs = oldest === undefined ? 0 : this.#options.clock.monotonicMs() - oldest.addedAtMs;
    const failure = this.#options.failure();
    const late = oldestMs >= SLOW_MS || (oldestMs >= FAILED_MS && failure !== undefined);
    const firstLoss = this.#lost > 0 && !this.#saidLost;
    if (firstLoss || (late && !this.#failing)) {
      this.#failing = true;
      this.#saidLost ||= this.#lost > 0;
      const reason = failure ?? (firstLoss ? 'there is no room for what waits' : 'the store does not keep up');
      this.#options.failing({ reason, waiting: this.#waiting.size, lost: this.#lost, oldestMs: Math.round(oldestMs) });
      return;
    }
    if (!this.#failing || failure !== undefined || oldestMs >= FAILED_MS) return;
    this.#failing = false;
    this.#options.recovered(this.#lost);
    this.#lost = 0;
    this.#saidLost = false;
  }
}
