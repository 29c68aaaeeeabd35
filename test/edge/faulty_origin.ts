/**
 * Stands before a media server and fails as it is told: answers 500, never answers, or passes everything on.
 */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FaultyOrigin {
  readonly url: string;
  mode: 'pass' | 'error' | 'silent';
  /** Requests that arrived here. */
  requests: number;
  close(): Promise<void>;
}

export async function startFaultyOrigin(behind: string): Promise<FaultyOrigin> {
  const server = createServer((request, response) => {
    origin.requests += 1;
    if (origin.mode === 'silent') return;
    if (origin.mode === 'error') {
      response.writeHead(500, { 'cache-control': 'public, max-age=600' }).end('out of order');
      return;
    }
    const { headers, url } = request;
    const onward = httpRequest(`${behind}${url}`, { headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const origin: FaultyOrigin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mode: 'pass',
    requests: 0,
    close: async () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return origin;
}
