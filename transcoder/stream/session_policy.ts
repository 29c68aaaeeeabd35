/**
 * What one session makes of its source: passed through or encoded, with which renditions, and whether what was decided
 * still holds.
 */
import { isRenditionName } from '../../contracts/ids.ts';
import type { StreamId } from '../../contracts/ids.ts';
import type { EncodePlan, RenditionPlan, SourceDescription } from '../encode/encode_plan.ts';
import type { Logger } from '../logger.ts';
import type { EpochRun } from './epoch_run.ts';
import type { GopMemory } from './gop_memory.ts';
import type { PublisherFeed } from './publisher_feed.ts';
import type { SessionWindow } from './session_window.ts';
import { judgeSource, planEpoch } from './source_policy.ts';
import type { PolicyVerdict } from './source_policy.ts';
import type { StreamSettings } from './stream_settings.ts';

export interface SessionPolicyOptions {
  readonly streamId: StreamId;
  readonly settings: StreamSettings;
  readonly gopMemory: GopMemory;
  readonly window: Pick<SessionWindow, 'renditions' | 'targetDuration'>;
  readonly logger: Logger;
}

export class SessionPolicy {
  readonly #options: SessionPolicyOptions;
  #mustEncode = false;
  #targetDuration: number | undefined;

  constructor(options: SessionPolicyOptions) {
    this.#options = options;
  }

  /** EXT-X-TARGETDURATION of the session, whole seconds. */
  get targetDuration(): number {
    return this.#targetDuration ?? Math.max(1, Math.round(this.#options.settings.segmentSeconds));
  }

  /**
   * @param names from the publish grant: the renditions that are wanted
   * @throws Error in one line when the source cannot give what the session has promised
   */
  plan(feed: PublisherFeed, source: SourceDescription, names: readonly string[] | undefined): EncodePlan {
    const { settings, window, logger } = this.#options;
    const verdict = this.#judge(feed, source);
    this.#mustEncode ||= verdict.mustEncode;
    this.#targetDuration ??= verdict.targetDuration;
    const mustEncode = this.#mustEncode;
    logger.info({ policy: mustEncode ? 'encode' : 'copy', reason: verdict.reason }, 'ladder planned');
    const only = names?.filter(isRenditionName);
    return planEpoch({ source, settings, mustEncode, only, promised: window.renditions });
  }

  /** Why what is passed through now must be encoded from now on; undefined: it need not. */
  refuted(feed: PublisherFeed, run: EpochRun): string | undefined {
    if (this.#mustEncode || !run.plan.followsSource) return undefined;
    const source = feed.tracker.describe();
    if (source === undefined) return undefined;
    const copied = run.plan.renditions.find((rendition) => rendition.mode === 'copy');
    const verdict = this.#judge(feed, source, copied);
    if (!verdict.mustEncode) return undefined;
    this.#mustEncode = true;
    this.remember(feed);
    return verdict.reason;
  }

  /** Keeps what a publisher's key frames were like for the stream's next sessions. */
  remember({ meter }: PublisherFeed): void {
    const { gopMemory, streamId } = this.#options;
    // Without a whole GOP nothing is known that would refute what was remembered.
    const remembered = meter.longestMs > 0 ? 0 : (gopMemory.recall(streamId)?.longestGopMs ?? 0);
    const longestGopMs = Math.max(meter.longestMs, meter.currentMs, remembered);
    if (longestGopMs > 0) gopMemory.remember(streamId, { longestGopMs, peakBitrate: meter.peakBitrate });
  }

  #judge(feed: PublisherFeed, source: SourceDescription, copied?: RenditionPlan): PolicyVerdict {
    const { settings, gopMemory, window, streamId } = this.#options;
    const measures = {
      longestGopMs: Math.max(feed.meter.longestMs, feed.meter.currentMs),
      declaredGopFrames: feed.declaredGopFrames,
      bitrate: feed.meter.bitrate,
      memory: gopMemory.recall(streamId),
    };
    return judgeSource(measures, source, settings, this.#targetDuration ?? window.targetDuration, copied);
  }
}
