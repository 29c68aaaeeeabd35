/**
 * Tells the registry that streams are let go, and remembers which of these calls are still on their way.
 */
import type { ReleaseRequest, StreamReport } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';
import type { LiveStream } from './live_stream.ts';

export interface StreamReleasesOptions {
  readonly control: Pick<Control, 'release'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Letting = Pick<ReleaseRequest, 'reason' | 'windowMs' | 'detail'> & {
  /** Absent: what the stream reports now. */
  readonly report?: StreamReport;
};

export class StreamReleases {
  readonly #options: StreamReleasesOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: StreamReleasesOptions) {
    this.#options = options;
  }

  /** Resolves when the registry has heard of it or cannot be reached, or after `patienceMs`. */
  tell(stream: LiveStream, { detail, ...what }: Letting, patienceMs?: number): Promise<void> {
    const { control, clock, logger } = this.#options;
    const { streamId, epoch } = stream;
    const why = detail === undefined ? {} : { detail: oneLine(detail) };
    const release: Promise<void> = control
      .release({ streamId, epoch, report: stream.report(), ...what, ...why })
      .then(
        () => undefined,
        (error: unknown) => {
          logger.error({ streamId, err: error }, 'the registry was not told; its lease will run out');
        },
      )
      .finally(() => this.#underWay.delete(release));
    this.#underWay.add(release);
    return patienceMs === undefined ? release : atMost(clock, patienceMs, release);
  }

  /** Resolves when all that was told has been heard, or after `patienceMs`. */
  settled(patienceMs: number): Promise<void> {
    return atMost(this.#options.clock, patienceMs, Promise.all(this.#underWay));
  }
}

/** Resolves with `work`, or after `ms`. */
export async function atMost(clock: Pick<Clock, 'after'>, ms: number, work: Promise<unknown>): Promise<void> {
  const patience = Promise.withResolvers<void>();
  const cancel = clock.after(ms, patience.resolve);
  await Promise.race([work, patience.promise]);
  cancel();
}

/** A reason as the registry takes it. */
function oneLine(reason: string): string {
  return reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200);
}
