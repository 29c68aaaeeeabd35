/**
 * What ingest can be told: limits, times and places, with the defaults that production uses.
 */
import type { AcceptPublisher } from './publisher.ts';

/** Where ingest logs. Fields hold addresses, connection names, codes and counts; never a key, a name, a query or AMF. */
export interface IngestLogger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface IngestLimits {
  /** Connections in all. */
  readonly connections: number;
  /** Connections that are not live. A newcomer beyond it displaces the oldest that has not asked to publish yet. */
  readonly pendingConnections: number;
  /** Connections of one address. Loopback is exempt unless `limitLoopback`: a proxy on the same machine may stand there. */
  readonly connectionsPerAddress: number;
  readonly limitLoopback: boolean;
  /** Chunk streams that one connection may use. OBS, FFmpeg and GStreamer use up to 5. */
  readonly chunkStreams: number;
  /** Bytes of one video or aggregate message. A 4K key frame has about 1.5 MB. */
  readonly videoBytes: number;
  readonly audioBytes: number;
  /** Bytes of one command or data message. */
  readonly amfBytes: number;
  /** Bytes of unfinished messages of one connection while live; before that it is `amfBytes`. */
  readonly unfinishedBytes: number;
  /** Nesting of AMF objects and arrays. */
  readonly amfDepth: number;
  /** Values, keys included, in one AMF message. */
  readonly amfValues: number;
  /** Bytes from the first one to the publish command. */
  readonly bytesBeforePublish: number;
  /** Commands from connect to publish. */
  readonly commandsBeforePublish: number;
  /** Streams that createStream may make on one connection. */
  readonly messageStreams: number;
  /** Bytes read ahead while the authorisation is awaited. */
  readonly heldBytes: number;
  /** Log lines about misbehaving peers per second; the rest is counted in one line. */
  readonly logLinesPerSecond: number;
  /** Bytes of replies that a peer may leave unread. */
  readonly unsentBytes: number;
  /** Bits per second that a publisher may send, averaged over `bitrateWindowMs`; its sink may set less or more. */
  readonly bitrate: number;
}

/** All in ms. */
export interface IngestTimings {
  /** From the connection to the end of the RTMP handshake. */
  readonly handshakeMs: number;
  /** From the connection (or the goodbye) to the publish command. */
  readonly publishMs: number;
  /** The longest that `accept` may take; then its signal aborts and the publisher is refused. */
  readonly authorizationMs: number;
  /** Without a byte received. */
  readonly silenceMs: number;
  readonly pingMs: number;
  readonly bitrateWindowMs: number;
  /** How long a refused peer may take to read why and close. */
  readonly lingerMs: number;
  /** How often the above are looked at. */
  readonly tickMs: number;
  /** When TCP begins to probe an idle connection. */
  readonly keepAliveMs: number;
}

export const DEFAULT_INGEST_LIMITS: IngestLimits = {
  connections: 1000,
  pendingConnections: 400,
  connectionsPerAddress: 50,
  limitLoopback: false,
  chunkStreams: 64,
  videoBytes: 4 * 1024 * 1024,
  audioBytes: 1024 * 1024,
  amfBytes: 64 * 1024,
  unfinishedBytes: 6 * 1024 * 1024,
  amfDepth: 16,
  amfValues: 2048,
  bytesBeforePublish: 1024 * 1024,
  commandsBeforePublish: 64,
  messageStreams: 16,
  heldBytes: 64 * 1024,
  logLinesPerSecond: 20,
  unsentBytes: 64 * 1024,
  bitrate: 60_000_000,
};

export const DEFAULT_INGEST_TIMINGS: IngestTimings = {
  handshakeMs: 8_000,
  publishMs: 10_000,
  authorizationMs: 30_000,
  silenceMs: 10_000,
  pingMs: 5_000,
  bitrateWindowMs: 10_000,
  lingerMs: 2_000,
  tickMs: 500,
  keepAliveMs: 10_000,
};

/** How ingest passes connections on to other servers: docs/architecture.md, "Where new publishers go". */
export interface IngestFleet {
  /** Where a fresh connection from this address goes (`host:port`, best first); none: it stays here. */
  readonly passOnTo: (clientAddress: string) => readonly string[];
  /** May a connection come that a peer passes on? If not it is closed unread, and the peer looks further. */
  readonly takesMore: () => boolean;
  /** Proves to a server that a peer passed a connection on; the same in the whole fleet. */
  readonly secret: string;
}

export interface IngestOptions {
  readonly accept: AcceptPublisher;
  readonly logger: IngestLogger;
  /** TCP port of RTMP; 0 picks one. */
  readonly port: number;
  /** Address to listen on; absent: all. */
  readonly host?: string;
  /** A second listener for RTMPS. PEM texts. */
  readonly tls?: { readonly port: number; readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Every connection begins with a PROXY protocol version 2 header; one without it is closed. */
  readonly proxyProtocol?: boolean;
  /** First path part of the RTMP URL. */
  readonly apps?: readonly string[];
  readonly limits?: Partial<IngestLimits>;
  readonly timings?: Partial<IngestTimings>;
  /** Peers that take publishers off this server, and that this one takes them from. */
  readonly fleet?: IngestFleet;
  /** Milliseconds on a clock that never goes back. */
  readonly monotonicMs?: () => number;
}
