/**
 * Puts the edge together on Node: the app, its upstream, its server and its metrics. The entry and the one-machine
 * run start it by this.
 */
import { gzipSync } from 'node:zlib';
import type { Registry } from 'prom-client';
import type { EdgeDependencies } from '../../contracts/edge_dependencies.ts';
import { createApp } from '../src/app.ts';
import type { EdgeLog } from '../src/app.ts';
import type { EdgeCounters } from '../src/edge_counters.ts';
import type { VerifyPlayback } from '../src/playback_verifier.ts';
import type { RecordingSource } from '../src/recording/recording_source.ts';
import { DEFAULT_UPSTREAM_ALLOW, parseUpstreamAllow } from '../src/upstream_allow.ts';
import { createNodeUpstream } from './node_fetch_upstream.ts';
import { serveNode } from './node_server.ts';
import { createViewerReports } from './viewer_metrics.ts';
import { loadWatchAssets } from './watch_assets.ts';

export interface EdgeOptions {
  /** 0 picks one. */
  readonly port: number;
  readonly host: string;
  /** How to find a stream: Redis, the `resolve` function, or a registry in the same process. */
  readonly resolve: EdgeDependencies['resolve'];
  readonly mediaToken?: string | undefined;
  /** CIDRs or host suffixes; default: loopback and private networks. */
  readonly upstreamAllow?: string | undefined;
  readonly upstreamBase?: 'private' | 'public';
  /** For streams that are not public; default: every token is refused. */
  readonly verifyPlayback?: VerifyPlayback | undefined;
  /** Where recordings are; default: there are none. */
  readonly recordings?: RecordingSource | undefined;
  /** How far back viewers of a live stream may go, s. */
  readonly rewindSeconds?: number | undefined;
  /** Default 256 MiB. */
  readonly cacheBytes?: number;
  readonly log: EdgeLog;
  /** What players say about themselves is measured there; default: nowhere. */
  readonly metrics?: Registry | undefined;
}

export interface RunningEdge {
  readonly port: number;
  readonly counters: EdgeCounters;
  /** Sockets to media servers. */
  readonly upstreamSockets: () => number;
  /** Lets running replies end for a few seconds. */
  close(graceMs?: number): Promise<void>;
}

/** Texts of a few KiB compress in 50 µs: less than a trip to the thread pool and back. */
const gzip = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => gzipSync(bytes, { level: 6 });

/** @throws when the port is taken, a file of the watch page is missing, or `upstreamAllow` makes no sense */
export async function startEdge(options: EdgeOptions): Promise<RunningEdge> {
  const assets = await loadWatchAssets();
  const upstream = createNodeUpstream(options.mediaToken);
  const edge = createApp({
    resolve: options.resolve,
    fetchUpstream: upstream.fetchUpstream,
    monotonicMs: () => performance.now(),
    upstreamBase: options.upstreamBase ?? 'private',
    mayFollow: parseUpstreamAllow(options.upstreamAllow ?? DEFAULT_UPSTREAM_ALLOW),
    cacheBytes: options.cacheBytes ?? 2 ** 28,
    log: options.log,
    assets,
    viewerReports: options.metrics === undefined ? undefined : createViewerReports(options.metrics),
    compression: { gzip },
    verifyPlayback: options.verifyPlayback,
    recordings: options.recordings,
    rewindSeconds: options.rewindSeconds,
  });
  const server = await serveNode(edge, options.port, options.host);
  return {
    port: server.port,
    counters: edge.counters,
    upstreamSockets: upstream.openSockets,
    close: async (graceMs) => {
      await server.close(graceMs);
      upstream.close();
    },
  };
}
