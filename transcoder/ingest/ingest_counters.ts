/**
 * What ingest counts, for metrics. All only rise.
 */
import { PROTOCOL_ERROR_CLASSES } from './rtmp_protocol_error.ts';
import type { ProtocolErrorClass } from './rtmp_protocol_error.ts';

/** Why a connection was closed by us without having broken the protocol. */
export const REFUSAL_REASONS = [
  'connections',
  'address',
  'displaced',
  'slow-handshake',
  'no-publish',
  'app',
  'name',
  'player',
  'denied',
  'accept-failed',
  'accept-timeout',
  'bitrate',
  'by-stream',
  'shutdown',
  'peer',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface IngestCounters {
  connections: number;
  /** Taken by a peer. */
  passedOn: number;
  /** Offers that a peer did not take. */
  passOnDeclined: number;
  /** Connections that a peer passed on to this server. */
  fromPeers: number;
  /** Publish.Start sent. */
  publishes: number;
  goodbyes: number;
  lost: number;
  bytesReceived: number;
  refused: Record<RefusalReason, number>;
  protocolErrors: Record<ProtocolErrorClass, number>;
  /** Audio, video and data messages from connections that were not live. */
  mediaDropped: number;
  /** Data messages of a live publisher that are not well-formed onMetaData. */
  metadataIgnored: number;
  /** Exceptions that a sink let escape. */
  sinkErrors: number;
  /** Sockets that failed before they became a connection. */
  socketErrors: number;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

export function createIngestCounters(): IngestCounters {
  return {
    connections: 0,
    passedOn: 0,
    passOnDeclined: 0,
    fromPeers: 0,
    publishes: 0,
    goodbyes: 0,
    lost: 0,
    bytesReceived: 0,
    refused: zeros(REFUSAL_REASONS),
    protocolErrors: zeros(PROTOCOL_ERROR_CLASSES),
    mediaDropped: 0,
    metadataIgnored: 0,
    sinkErrors: 0,
    socketErrors: 0,
  };
}
