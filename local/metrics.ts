/**
 * `/metrics` of the one-machine run: transcoder, edge and process in one listener, on loopback alone.
 */
import { collectDefaultMetrics } from 'prom-client';
import type { Registry } from 'prom-client';
import { registerEdgeMetrics, serveMetrics } from '../origin-edge/entry/edge_metrics.ts';
import type { RunningEdge } from '../origin-edge/entry/start_edge.ts';
import type { Logger } from '../transcoder/logger.ts';
import { named } from '../transcoder/transcoder.ts';
import type { Transcoder } from '../transcoder/transcoder.ts';
import { registerTranscoderMetrics } from '../transcoder/transcoder_metrics.ts';

export interface MetricsOptions {
  readonly port: number;
  /** False for the default port, without which the run can do when another program has it. */
  readonly portIsSet: boolean;
  /** Holds what the edge measures already. */
  readonly registry: Registry;
  readonly transcoder: Transcoder;
  readonly edge: RunningEdge;
  readonly logger: Logger;
}

/** @returns undefined when the default port is taken. @throws Error in one line when the port that was set is */
export async function startMetrics(
  options: MetricsOptions,
): Promise<Awaited<ReturnType<typeof serveMetrics>> | undefined> {
  const { port, portIsSet, registry, transcoder, edge, logger } = options;
  collectDefaultMetrics({ register: registry });
  registerTranscoderMetrics(registry, transcoder);
  registerEdgeMetrics(registry, edge.counters, edge.upstreamSockets);
  try {
    return await serveMetrics(registry, port, '127.0.0.1').catch(named('HW_METRICS_PORT', port));
  } catch (error) {
    if (portIsSet) throw error;
    logger.warn({ err: error }, 'no metrics');
    return undefined;
  }
}
