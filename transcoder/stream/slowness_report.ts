/**
 * Tells of a slow uplink once a minute at most: its viewers see the picture stand still, and only the publisher can help.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { NotifyStream } from './stream_notifier.ts';

export interface SlownessOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
  readonly notify: NotifyStream;
}

const ONCE_PER_MS = 60_000;

export class SlownessReport {
  readonly #options: SlownessOptions;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SlownessOptions) {
    this.#options = options;
  }

  /** @param share media that arrived per time that passed */
  tell(share: number): void {
    const { clock, logger, notify } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#toldAtMs < ONCE_PER_MS) return;
    this.#toldAtMs = nowMs;
    const percent = Math.round(share * 100);
    logger.warn({ percent }, 'the uplink is slow: less media arrives than time passes');
    notify('publisher.slow', { percent });
  }
}
