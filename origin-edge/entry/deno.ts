/**
 * The edge on Deno, as `deno serve` runs it (`npm run edge:deno`). Composition root; the port and the permissions that
 * it needs stand in script/edge-deno.
 */
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { SettingError } from '../../contracts/settings.ts';
import { createApp } from '../src/app.ts';
import type { EdgeLog } from '../src/app.ts';
import { parseUpstreamAllow } from '../src/upstream_allow.ts';
import { createDrain } from './deno_drain.ts';
import { registerEdgeMetrics, serveMetrics } from './edge_metrics.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { playbackFromSettings } from './playback_from_settings.ts';
import { resolveFromSettings } from './resolve_from_settings.ts';
import { createViewerReports } from './viewer_metrics.ts';
import { loadWatchAssets } from './watch_assets.ts';
import { recordingsFromEnvironment } from './recordings_from_environment.ts';
import { rewindSeconds } from './s3_from_environment.ts';
import { createWebUpstream } from './web_fetch_upstream.ts';

const log: EdgeLog = (level, message, fields) =>
  process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);

async function compose(): Promise<{
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly onListen: (address: { readonly port: number }) => void;
}> {
  const settings = readEdgeSettings(process.env);
  const lookup = resolveFromSettings(settings.registry, log);
  const drain = createDrain();
  const registry = new Registry();
  const { app, counters } = createApp({
    resolve: lookup.resolve,
    fetchUpstream: createWebUpstream(settings.mediaToken),
    monotonicMs: () => performance.now(),
    upstreamBase: settings.upstreamBase,
    mayFollow: parseUpstreamAllow(settings.upstreamAllow),
    cacheBytes: 2 ** 28,
    log,
    assets: await loadWatchAssets(),
    verifyPlayback: await playbackFromSettings(settings),
    recordings: recordingsFromEnvironment(process.env),
    rewindSeconds: rewindSeconds(process.env),
    compression: { gzip: (bytes) => gzipSync(bytes) },
    viewerReports: createViewerReports(registry),
    ready: () => !drain.hasBegun(),
  });
  registerEdgeMetrics(registry, counters);
  const metrics = await serveMetrics(registry, settings.metricsPort, settings.host).catch((error: unknown) => {
    if (settings.metricsPortIsSet) throw error;
    log('warn', 'no metrics: their default port is taken; set HW_METRICS_PORT', { error: String(error) });
    return undefined;
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void drain.end().then(() => process.exit(0)));
  }
  return {
    fetch: (request) => drain.pass(app.fetch(request)),
    onListen: ({ port }) => {
      const ports = { edge: port, ...(metrics === undefined ? {} : { metrics: metrics.port }) };
      const ready = JSON.stringify({ ready: true, pid: process.pid, ports });
      process.stdout.write(`${process.stdout.isTTY ? `The edge listens on http://${settings.host}:${port}` : ready}\n`);
    },
  };
}

export default await compose().catch((error: unknown): never => {
  const known = error instanceof SettingError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  process.stderr.write(`headwater edge: ${known ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exit(1);
});
