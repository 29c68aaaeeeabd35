/**
 * The edge on Node. Composition root of `npm run edge`.
 */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { SettingError } from '../../contracts/settings.ts';
import { registerEdgeMetrics, serveMetrics } from './edge_metrics.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { playbackFromSettings } from './playback_from_settings.ts';
import type { EdgeLog } from '../src/app.ts';
import { recordingsFromEnvironment } from './recordings_from_environment.ts';
import { rewindSeconds } from './s3_from_environment.ts';
import { resolveFromSettings } from './resolve_from_settings.ts';
import { startEdge } from './start_edge.ts';

async function main(): Promise<void> {
  const settings = readEdgeSettings(process.env);
  const logger = pino({ level: settings.logLevel }, pino.destination(2));
  const log: EdgeLog = (level, message, fields) => logger[level](fields, message);
  const registry = new Registry();
  const lookup = resolveFromSettings(settings.registry, log);
  const edge = await startEdge({
    ...settings,
    resolve: lookup.resolve,
    verifyPlayback: await playbackFromSettings(settings),
    recordings: recordingsFromEnvironment(process.env),
    rewindSeconds: rewindSeconds(process.env),
    log,
    metrics: registry,
  });
  registerEdgeMetrics(registry, edge.counters, edge.upstreamSockets);
  const metrics = await serveMetrics(registry, settings.metricsPort, settings.host).catch((error: unknown) => {
    if (settings.metricsPortIsSet) throw error;
    logger.warn({ error: String(error) }, 'no metrics: their default port is taken; set HW_METRICS_PORT');
    return undefined;
  });
  const ports = { edge: edge.port, ...(metrics === undefined ? {} : { metrics: metrics.port }) };
  const ready = process.stdout.isTTY
    ? `The edge listens on http://${settings.host}:${edge.port}`
    : JSON.stringify({ ready: true, pid: process.pid, ports });
  process.stdout.write(`${ready}\n`);
  const stop = (): void => {
    void Promise.all([edge.close(), metrics?.close()]).then(() => {
      lookup.close();
      process.exit(0);
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
}

main().catch((error: unknown) => {
  const known = error instanceof SettingError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  process.stderr.write(`headwater edge: ${known ? (error as Error).message : (error as Error).stack}\n`);
  process.exit(1);
});
