/**
 * Keeps one stream at the pace of the clock when the CPU does not suffice: what FFmpeg has not taken yet is how far it is
 * behind; then the most expensive rendition that is encoded is left out (EXT-X-GAP stands in its playlist), until there
 * is room again.
 */
import type { RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan, RenditionPlan } from '../encode/encode_plan.ts';
import type { Logger } from '../logger.ts';
import type { EpochRun } from './epoch_run.ts';
import type { NotifyStream } from './stream_notifier.ts';

export interface LoadWatchOptions {
  readonly logger: Logger;
  readonly notify: NotifyStream;
  /** There is CPU for more than what runs. */
  readonly isRoomy: () => boolean;
}

/** Media that waits for FFmpeg, ms: above this it is behind, and above this for so long it will not catch up. */
const BEHIND_MS = 2_500;
const BEHIND_FOR_MS = 3_000;
/** A new FFmpeg gets this long to settle before the next rendition is left out, ms. */
const SETTLE_MS = 8_000;
/** Calm time before a rendition is made again, ms; doubled each time that it was too early. */
const CALM_MS = { first: 60_000, longest: 600_000 };

export class LoadWatch {
  readonly #options: LoadWatchOptions;
  /** In the order in which they were left out. */
  readonly #shed: RenditionName[] = [];
  #run: EpochRun | undefined;
  #runSinceMs = 0;
  #behindSinceMs: number | undefined;
  /** For so long that it will not catch up by itself. */
  #isBehind = false;
  #calmSinceMs = 0;
  #calmMs = CALM_MS.first;

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /** FFmpeg is behind for longer than a moment, or was so lately that a rendition is left out. */
  get isStrained(): boolean {
    return this.#isBehind || this.#shed.length > 0;
  }

  /** The plan without what is left out now. */
  fit(plan: EncodePlan): EncodePlan {
    const renditions = plan.renditions.filter(({ name }) => !this.#shed.includes(name));
    if (renditions.length === plan.renditions.length || renditions.length === 0) return plan;
    const bitrates = new Set(renditions.map(({ audioBitrate }) => audioBitrate));
    return {
      ...plan,
      renditions,
      followsSource: renditions.some(({ mode }) => mode === 'copy'),
      audioBitrates: plan.audioBitrates.filter((bitrate) => bitrates.has(bitrate)),
    };
  }

  /**
   * Called a few times a second.
   * @returns why a new epoch with another plan is due
   */
  look(run: EpochRun, nowMs: number): string | undefined {
    if (run !== this.#run) {
      this.#run = run;
      this.#runSinceMs = nowMs;
    }
    const { lagMs } = run;
    if (lagMs <= BEHIND_MS) {
      this.#behindSinceMs = undefined;
      this.#isBehind = false;
      return this.#restore(nowMs);
    }
    this.#behindSinceMs ??= nowMs;
    this.#calmSinceMs = nowMs;
    this.#isBehind = nowMs - this.#behindSinceMs >= BEHIND_FOR_MS && nowMs - this.#runSinceMs >= SETTLE_MS;
    if (!this.#isBehind) return undefined;
    return this.#leaveOut(run, Math.round(lagMs));
  }

  #leaveOut(run: EpochRun, lagMs: number): string | undefined {
    const costliest = run.plan.renditions.filter(({ mode }) => mode === 'encode').toSorted(byCost)[0];
    if (costliest === undefined || run.plan.renditions.length < 2) return undefined;
    const { name } = costliest;
    this.#shed.push(name);
    this.#behindSinceMs = undefined;
    this.#options.logger.error({ rendition: name, lagMs }, 'FFmpeg falls behind: a rendition is left out');
    this.#options.notify('rendition.shed', { rendition: name, lagMs });
    return `FFmpeg is ${lagMs} ms behind: ${name} is left out`;
  }

  #restore(nowMs: number): string | undefined {
    if (this.#shed.length === 0) {
      this.#calmSinceMs = nowMs;
      return undefined;
    }
    if (nowMs - this.#calmSinceMs < this.#calmMs || !this.#options.isRoomy()) return undefined;
    const name = this.#shed.pop();
    if (name === undefined) return undefined;
    this.#calmSinceMs = nowMs;
    this.#calmMs = Math.min(2 * this.#calmMs, CALM_MS.longest);
    this.#options.logger.warn({ rendition: name }, 'there is room again: a rendition is made again');
    this.#options.notify('rendition.restored', { rendition: name });
    return `${name} is made again`;
  }
}

/** The costliest first: pixels, then bits. */
function byCost(a: RenditionPlan, b: RenditionPlan): number {
  return pixels(b) - pixels(a) || b.videoBitrate - a.videoBitrate;
}

function pixels({ resolution }: RenditionPlan): number {
  return resolution === undefined ? 0 : resolution.width * resolution.height;
}
