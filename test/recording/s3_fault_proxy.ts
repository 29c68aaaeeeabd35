/**
 * Stands before a real S3 and does to its clients what an S3 in trouble does: 503 SlowDown, silence, resets, slowness.
 */
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `hang`: the request is taken and never answered. `slow`: the answer comes half a second late. `mixed`: each by chance. */
export type S3Fault = 'none' | 'slow-down' | 'hang' | 'reset' | 'slow' | 'mixed';

export interface S3FaultProxy {
  readonly endpoint: string;
  fault: S3Fault;
  /** Requests that met each fault. */
  readonly counts: ReadonlyMap<S3Fault, number>;
  close(): Promise<void>;
}

const SLOW_MS = 500;
const SLOW_DOWN = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`;
const CHOICES: readonly S3Fault[] = ['none', 'slow-down', 'hang', 'reset', 'slow'];

/** @param random from 0 up to, not including, 1 */
export async function startS3FaultProxy(upstream: string, random: () => number): Promise<S3FaultProxy> {
  const target = new URL(upstream);
  const counts = new Map<S3Fault, number>();
  const proxy = { fault: 'none' as S3Fault };
  const server = createServer((incoming, outgoing) => {
    const { fault: mode } = proxy;
    const fault = mode === 'mixed' ? (CHOICES[Math.floor(random() * CHOICES.length)] ?? 'none') : mode;
    counts.set(fault, (counts.get(fault) ?? 0) + 1);
    // A client that gives up is what most of this is about.
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    if (fault === 'reset') incoming.socket.resetAndDestroy();
    else if (fault === 'slow-down') refuse(incoming, outgoing);
    else if (fault === 'hang') incoming.resume();
    else if (fault === 'slow') setTimeout(() => forward(target, incoming, outgoing), SLOW_MS);
    else forward(target, incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    get fault() {
      return proxy.fault;
    },
    set fault(fault: S3Fault) {
      proxy.fault = fault;
    },
    counts,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume();
  incoming.once('end', () => {
    outgoing.writeHead(503, { 'content-type': 'application/xml' });
    outgoing.end(SLOW_DOWN);
  });
}

/** The Host header goes through as it came: it is signed. */
function forward(target: URL, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url: path, headers } = incoming;
  const onward = request({ host: target.hostname, port: target.port, method, path, headers }, (reply) => {
    outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}
