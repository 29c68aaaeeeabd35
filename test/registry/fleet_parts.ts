/**
 * What a fleet in simulated time is made of: the steps of a history, servers, what runs on them, and the calls they sent.
 */
import type { StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatRequest,
  ReleaseRequest,
  StreamReport,
} from '../../contracts/registry.ts';
import { SHAPE } from './registry_calls.ts';
import type { Granted } from './registry_calls.ts';

export type FleetStep =
  | { readonly do: 'publish'; readonly server: number; readonly stream: number; readonly signed: boolean }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'fallSilent' | 'restartEncoder' | 'loseReply'; readonly server: number; readonly stream: number }
  | {
      readonly do: 'release';
      readonly server: number;
      readonly stream: number;
      readonly reason: ReleaseRequest['reason'];
    }
  | { readonly do: 'crash' | 'cutOff' | 'reconnect'; readonly server: number }
  | { readonly do: 'replay'; readonly index: number }
  | { readonly do: 'skewClock'; readonly server: number; readonly ms: number }
  | { readonly do: 'empty' };

/** One stream on one server. */
export interface Run {
  readonly grant: Granted;
  state: 'live' | 'interrupted';
  flowing: boolean;
  mediaAtMs: number;
  nextMsn: number;
  segmentDueMs: number;
  windowEndsAtMs: number;
  reportedAtMs: number;
  /** It is playable. */
  shaped: boolean;
}

/** The last grant of a stream. */
export interface Current {
  readonly server: Server;
  readonly grant: Granted;
  /** Of the server's grants for the session, the first that it may still report: replies may have been lost. */
  since: number;
  letGo: boolean;
  /** When the registry last heard of it. */
  heardAtMs: number;
}

export interface Server {
  readonly id: string;
  alive: boolean;
  connected: boolean;
  clockSkewMs: number;
  beatDueMs: number;
  missedBeatAtMs: number;
  readonly runs: Map<StreamId, Run>;
}

/** A call, and how often the registry had been emptied when it was made. */
export type Sent = { readonly atMs: number; era: number } & (
  | { readonly kind: 'claim'; readonly request: ClaimRequest; reply: ClaimReply }
  | { readonly kind: 'heartbeat'; readonly request: HeartbeatRequest }
  | { readonly kind: 'release'; readonly request: ReleaseRequest }
);

/** What the server says of a stream at `nowMs`, by its own skewed clock where it uses that. */
export function reportOfRun(server: Server, stream: StreamId, run: Run, nowMs: number): StreamReport {
  return {
    streamId: stream,
    epoch: run.grant.epoch,
    sessionId: run.grant.sessionId,
    startedAtMs: run.grant.startedAtMs,
    state: run.state,
    nextMsn: run.nextMsn,
    discontinuitySequence: run.grant.carryOn.discontinuitySequence,
    programDateTimeEndMs: 1_760_000_000_000 + nowMs + server.clockSkewMs,
    playback: run.grant.playback ?? 'public',
    record: 'all',
    mediaAgeMs: mediaAgeMs(run, nowMs),
    ...(run.shaped && { shape: SHAPE }),
  };
}

export function mediaAgeMs(run: Run, nowMs: number): number {
  return run.flowing ? 0 : nowMs - run.mediaAtMs;
}
