/**
 * A control plane that knows one rule of the registry: who reports an older epoch than the newest has lost the stream.
 * Claims may be held back, so that tests decide what overtakes what.
 */
import type { Epoch, SessionId, StreamId } from '../../../contracts/ids.ts';
import type { Notification } from '../../../contracts/lifecycle_event.ts';
import type { PublishGrant } from '../../../contracts/publish.ts';
import type { ClaimReply, HeartbeatReply, HeartbeatRequest, ReleaseRequest } from '../../../contracts/registry.ts';
import type { Clock } from '../../clock.ts';
import type { Control } from '../../control.ts';

export class FakeControl implements Control {
  readonly releases: ReleaseRequest[] = [];
  /** Set: claims are granted at once, but their answers wait for this. */
  answers: Promise<void> | undefined;
  /** The session of the next claims. */
  sessionId = '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId;
  claims = 0;
  /** What the next heartbeats are answered beside that. */
  answer: Partial<HeartbeatReply> = {};
  readonly heartbeats: HeartbeatRequest[] = [];
  readonly notifications: Notification[] = [];
  /** By stream key; what is not here may publish under it. */
  readonly grants = new Map<string, PublishGrant>();
  /** The answer to the next claims instead of a grant. */
  owned: Extract<ClaimReply, { outcome: 'owned' }> | undefined;
  readonly #clock: Clock;
  readonly #epochs = new Map<StreamId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  epochOf(streamId: StreamId): number | undefined {
    return this.#epochs.get(streamId);
  }

  authorizePublish: Control['authorizePublish'] = async (request) => ({
    allowed: true,
    grant: this.grants.get(request.streamKey) ?? { streamId: request.streamKey as StreamId },
  });

  claim: Control['claim'] = async (request): Promise<ClaimReply> => {
    this.claims += 1;
    if (this.owned !== undefined) return this.owned;
    const epoch = (this.#epochs.get(request.streamId) ?? 0) + 1;
    this.#epochs.set(request.streamId, epoch);
    const { sessionId } = this;
    await this.answers;
    return {
      outcome: 'granted',
      epoch: epoch as Epoch,
      sessionId,
      startedAtMs: this.#clock.wallMs(),
      resumed: epoch > 1,
      playback: 'public',
      carryOn: { nextMsn: 1, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    };
  };

  heartbeat: Control['heartbeat'] = async (request): Promise<HeartbeatReply> => {
    this.heartbeats.push(request);
    return { lost: this.#lost(request), peers: [], drain: false, ...this.answer };
  };

  #lost(request: HeartbeatRequest): HeartbeatReply['lost'] {
    return request.streams
      .filter((report) => report.epoch < (this.#epochs.get(report.streamId) ?? 0))
      .map(({ streamId, epoch }) => ({ streamId, epoch, reason: 'superseded' as const }));
  }

  release: Control['release'] = async (request) => {
    this.releases.push(request);
    return { outcome: 'released' };
  };

  notify: Control['notify'] = async (notification) => {
    this.notifications.push(notification);
    return { outcome: 'noted' };
  };

  finalizeVod: Control['finalizeVod'] = async () => undefined;
}
