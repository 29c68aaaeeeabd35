/**
 * Claims of streams for this server: asked again while the owner may be alive or the registry has just been emptied,
 * refused at once when the owner's publisher is there.
 */
import type { StreamId } from '../../contracts/ids.ts';
import type { PublishGrant } from '../../contracts/publish.ts';
import type { ClaimReply, ServerAddress } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { StreamSettings } from './stream_settings.ts';

export type Granted = Extract<ClaimReply, { outcome: 'granted' }>;

export interface StreamClaimsOptions {
  readonly serverId: string;
  readonly address: () => ServerAddress;
  readonly control: Pick<Control, 'claim'>;
  readonly settings: Pick<StreamSettings, 'playback' | 'record'>;
  readonly clock: Clock;
  /** A new claim id: 16 random characters or more. */
  readonly makeClaimId: () => string;
}

/** How long a publisher is held in all, ms: longer than the oldest lease that its owner may still have. */
const PATIENCE_MS = 20_000;
/** Between two questions about an owner that does not answer, ms. */
const ASK_AGAIN_MS = 300;

export class StreamClaims {
  readonly #options: StreamClaimsOptions;
  /** Claims under way, by stream. */
  readonly #underWay = new Map<StreamId, number>();

  constructor(options: StreamClaimsOptions) {
    this.#options = options;
  }

  /** What the registry says of an older epoch meanwhile may be our own doing. */
  isUnderWay(streamId: StreamId): boolean {
    return this.#underWay.has(streamId);
  }

  /** @throws PublishRefused when the stream is live elsewhere; what `control` throws when it cannot be reached */
  async claim(grant: PublishGrant, signal?: AbortSignal): Promise<Granted> {
    const { streamId } = grant;
    this.#underWay.set(streamId, (this.#underWay.get(streamId) ?? 0) + 1);
    try {
      return await this.#ask(grant, signal);
    } finally {
      const left = (this.#underWay.get(streamId) ?? 1) - 1;
      if (left > 0) this.#underWay.set(streamId, left);
      else this.#underWay.delete(streamId);
    }
  }

  async #ask(grant: PublishGrant, signal?: AbortSignal): Promise<Granted> {
    const { control, clock, serverId, address, settings, makeClaimId } = this.#options;
    const { streamId } = grant;
    const claimId = makeClaimId();
    const deadline = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      const reply = await control.claim({
        streamId,
        serverId,
        claimId,
        address: address(),
        playback: grant.playback ?? settings.playback,
        record: grant.record ?? settings.record,
        ...(grant.title === undefined ? {} : { title: grant.title }),
      });
      if (reply.outcome === 'granted') return reply;
      if (reply.outcome === 'owned' && reply.ownerHealthy === true) {
        throw new PublishRefused(
          'NetStream.Publish.BadName',
          `stream ${streamId} is already live from another connection`,
        );
      }
      const waitMs = reply.outcome === 'wait' ? reply.retryAfterMs : ASK_AGAIN_MS;
      if (clock.monotonicMs() + waitMs > deadline) {
        throw new PublishRefused('NetStream.Publish.BadName', `stream ${streamId} is live on another server`);
      }
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      signal?.throwIfAborted();
    }
  }
}
