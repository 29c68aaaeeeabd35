/**
 * GET from a media server on Node, the whole reply in one buffer: over sockets of our own where the length is announced,
 * as our media server does, else through node:http (TLS, chunked replies). Web streams cost seven to ten times the CPU.
 */
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { EdgeDependencies, UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { UpstreamPool } from './upstream_pool.ts';
import { UnannouncedLength } from './upstream_socket.ts';

export interface NodeUpstream {
  readonly fetchUpstream: EdgeDependencies['fetchUpstream'];
  /** Sockets to media servers, in use and idle. */
  readonly openSockets: () => number;
  /** Ends all of them. */
  readonly close: () => void;
}

interface Limits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** @param mediaToken shown as Bearer token */
export function createNodeUpstream(mediaToken: string | undefined): NodeUpstream {
  // Idle sockets end after 30 s, well before the media server's own 75 s.
  const agentOptions = { keepAlive: true, maxFreeSockets: 64, scheduling: 'lifo', timeout: 30_000 } as const;
  const agents = { 'http:': new http.Agent(agentOptions), 'https:': new https.Agent(agentOptions) };
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (mediaToken !== undefined) headers.authorization = `Bearer ${mediaToken}`;

  const pool = new UpstreamPool(() => performance.now());
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  /** Servers that do not announce lengths; few, and forgotten when there are many. */
  const chunking = new Set<string>();

  const viaHttp = async (target: URL, limits: Limits): Promise<UpstreamReply> => {
    try {
      return await once(target, limits);
    } catch (error) {
      if ((error as { staleSocket?: boolean }).staleSocket === true) return once(target, limits);
      throw error;
    }
  };

  const once = async (url: URL, limits: Limits): Promise<UpstreamReply> =>
    new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const request = (secure ? https : http).request(url, { agent: agents[secure ? 'https:' : 'http:'], headers });
      const timer = setTimeout(
        () => request.destroy(new Error(`no whole reply within ${limits.timeoutMs} ms`)),
        limits.timeoutMs,
      );
      const fail = (error: Error & { staleSocket?: boolean }): void => {
        clearTimeout(timer);
        reject(error);
      };
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The server may close an idle socket in the moment in which it is used again (RFC 9112 section 9.3.1).
        fail(Object.assign(error, { staleSocket: request.reusedSocket && error.code === 'ECONNRESET' }));
      });
      request.on('response', (response) => {
        readWhole(response, limits.maxBytes)
          .then((body) => resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response), body }))
          .catch(fail)
          .finally(() => clearTimeout(timer));
      });
      request.end();
    });

  return {
    fetchUpstream: async (url, limits) => {
      const target = new URL(url);
      if (target.protocol !== 'http:' || chunking.has(target.host)) return viaHttp(target, limits);
      try {
        return await pool.get(target, lines, limits);
      } catch (error) {
        if (!(error instanceof UnannouncedLength)) throw error;
        if (chunking.size >= 100) chunking.clear();
        chunking.add(target.host);
        return viaHttp(target, limits);
      }
    },
    openSockets: () =>
      pool.size +
      Object.values(agents).reduce((sum, agent) => sum + count(agent.sockets) + count(agent.freeSockets), 0),
    close: () => {
      pool.close();
      Object.values(agents).forEach((agent) => agent.destroy());
    },
  };
}

function count(sockets: NodeJS.ReadOnlyDict<readonly unknown[]>): number {
  return Object.values(sockets).reduce((sum, list) => sum + (list?.length ?? 0), 0);
}

/** Copies the body into one buffer of its own, made at once when the length is announced. */
async function readWhole(response: IncomingMessage, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const whole = announced <= maxBytes ? Buffer.allocUnsafeSlow(announced) : undefined;
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      if (length + chunk.length > maxBytes) {
        response.destroy(new Error(`got more than ${maxBytes} bytes`));
        return;
      }
      if (whole === undefined) chunks.push(chunk);
      else chunk.copy(whole, length);
      length += chunk.length;
    });
    response.on('end', () => resolve(whole ?? Buffer.concat(chunks)));
    response.on('error', reject);
    response.on('close', () => reject(new Error(`the reply broke off after ${length} bytes`)));
  });
}

function plainHeaders(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}
