/**
 * `/metrics` of the transcoder as a program of its own, on a listener that neither viewers nor publishers reach.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Logger } from './logger.ts';
import { named } from './transcoder.ts';
import type { Transcoder } from './transcoder.ts';
import { registerTranscoderMetrics } from './transcoder_metrics.ts';

export interface MetricsServerOptions {
  readonly port: number;
  /** False for the default port, without which the transcoder can do when another program has it. */
  readonly portIsSet: boolean;
  readonly host: string;
  readonly logger: Logger;
}

/**
 * @returns the port, or undefined when the default one is taken
 * @throws Error in one line when the port that was set is
 */
export async function serveMetrics(
  transcoder: Transcoder,
  { port, portIsSet, host, logger }: MetricsServerOptions,
): Promise<number | undefined> {
  try {
    return await listen(transcoder, port, host).catch(named('HW_METRICS_PORT', port));
  } catch (error) {
    if (portIsSet) throw error;
    logger.warn({ err: error }, 'no metrics');
    return undefined;
  }
}

async function listen(transcoder: Transcoder, port: number, host: string): Promise<number> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerTranscoderMetrics(registry, transcoder);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404, { 'cache-control': 'no-store' }).end();
      return;
    }
    registry.metrics().then(
      (text) =>
        response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' }).end(text),
      () => response.writeHead(500, { 'cache-control': 'no-store' }).end(),
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  await promise;
  server.off('error', reject);
  // It lives as long as the program, and does not keep it alive.
  server.unref();
  return (server.address() as AddressInfo).port;
}
