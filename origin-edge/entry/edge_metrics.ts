/**
 * The edge's counters for Prometheus, on a listener of their own that viewers do not reach.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { EdgeCounters } from '../src/edge_counters.ts';

const HELP: Readonly<Record<keyof EdgeCounters, string>> = {
  requests: 'Requests for media paths.',
  memoryHits: 'Requests for media paths that were answered from memory.',
  upstreamRequests: 'Requests to media servers.',
  upstreamFailures: 'Requests to media servers without a usable answer.',
  upstreamRefused: 'Registry records whose address was not followed.',
  lastKnownPlaylists: 'Playlists answered with the last known state.',
  registryFailures: 'Questions to the registry without an answer.',
  recordingFailures: 'Reads of the recording store that failed.',
  internalErrors: 'Replies with status 500.',
};

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Registers `headwater_edge_…` on `registry`, read from `counters` when it is collected; sockets where the platform shows them. */
export function registerEdgeMetrics(registry: Registry, counters: EdgeCounters, upstreamSockets?: () => number): void {
  for (const [key, help] of Object.entries(HELP) as [keyof EdgeCounters, string][]) {
    registry.registerMetric(
      new Counter({
        name: `headwater_edge_${snakeCase(key)}_total`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(counters[key]);
        },
      }),
    );
  }
  if (upstreamSockets === undefined) return;
  registry.registerMetric(
    new Gauge({
      name: 'headwater_edge_upstream_sockets',
      help: 'Sockets to media servers, in use and idle.',
      registers: [],
      collect() {
        this.set(upstreamSockets());
      },
    }),
  );
}

/** Serves `/metrics` and nothing else. */
export async function serveMetrics(
  registry: Registry,
  port: number,
  host: string,
): Promise<{ readonly port: number; close(): Promise<void> }> {
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
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
