/**
 * A control plane that knows one rule of the registry: who reports an older epoch than the newest has lost the stream.
 * Claims may be held back, so that tests decide what overtakes what.
 */
import type { Epoch, SessionId, StreamId } from '../../../contracts/ids.ts';
import type { ClaimReply, HeartbeatReply, ReleaseRequest } from '../../../contracts/registry.ts';
import type { Clock } from '../../clock.ts';
import type { Control } from '../../control.ts';

export class FakeControl implements Control {
  readonly releases: ReleaseRequest[] = [];
  /** Set: claims are granted at once, but their answers wait for this. */
  answers: Promise<void> | undefined;
  /** The session of the next claims. */
  sessionId = '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId;
  claims = 0;
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
    grant: { streamId: request.streamKey as StreamId },
  });

  claim: Control['claim'] = async (request): Promise<ClaimReply> => {
    this.claims += 1;
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

  heartbeat: Control['heartbeat'] = async (request): Promise<HeartbeatReply> => ({
    lost: request.streams
      .filter((report) => report.epoch < (this.#epochs.get(report.streamId) ?? 0))
      .map(({ streamId, epoch }) => ({ streamId, epoch, reason: 'superseded' as const })),
    peers: [],
    drain: false,
  });

  release: Control['release'] = async (request) => {
    this.releases.push(request);
    return { outcome: 'released' };
  };

  notify: Control['notify'] = async () => ({ outcome: 'noted' });

  finalizeVod: Control['finalizeVod'] = async () => undefined;
}
