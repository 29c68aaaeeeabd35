/**
 * Calls to the registry as transcoders make them, for tests to vary.
 */
import type { RenditionName, StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatRequest,
  ReleaseRequest,
  StreamReport,
} from '../../contracts/registry.ts';

export type Granted = Extract<ClaimReply, { outcome: 'granted' }>;

export const SHOW = 'show' as StreamId;
export const SHAPE = {
  renditions: [
    { name: '360p' as RenditionName, codecs: 'avc1.4d401e,mp4a.40.2', bandwidth: 1_000_000, averageBandwidth: 900_000 },
  ],
  targetDuration: 2,
  partTarget: 0.5,
};

export const addressOf = (serverId: string) => ({ private: `http://${serverId}.internal:8000` });

let claims = 0;
export function claimBy(serverId: string, more: Partial<ClaimRequest> = {}): ClaimRequest {
  claims += 1;
  return {
    streamId: SHOW,
    serverId,
    claimId: `claim-${claims}-${serverId}`,
    address: addressOf(serverId),
    playback: 'public',
    record: 'all',
    ...more,
  };
}

export function reportOf(grant: Granted, more: Partial<StreamReport> = {}): StreamReport {
  return {
    streamId: SHOW,
    epoch: grant.epoch,
    sessionId: grant.sessionId,
    startedAtMs: grant.startedAtMs,
    state: 'live',
    nextMsn: grant.carryOn.nextMsn,
    discontinuitySequence: grant.carryOn.discontinuitySequence,
    programDateTimeEndMs: grant.carryOn.programDateTimeEndMs,
    playback: 'public',
    record: 'all',
    mediaAgeMs: 0,
    ...more,
  };
}

let sequence = 0;
export function heartbeatOf(serverId: string, streams: readonly StreamReport[], more: Partial<HeartbeatRequest> = {}) {
  sequence += 1;
  return {
    serverId,
    seq: sequence,
    address: addressOf(serverId),
    ingest: `${serverId}.internal:1935`,
    capacity: { streams: streams.length, maxStreams: 10, ready: true, draining: false },
    streams: [...streams],
    ...more,
  };
}

export function releaseOf(
  grant: Granted,
  reason: ReleaseRequest['reason'],
  more: Partial<ReleaseRequest> = {},
): ReleaseRequest {
  return { streamId: SHOW, epoch: grant.epoch, reason, report: reportOf(grant), ...more };
}
