/**
 * GET through node:http and node:https with kept-alive sockets, for what the sockets of our own do not do: TLS, and
 * servers that chunk their replies.
 */
import http from 'node:http';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { UpstreamReply } from '../../contracts/edge_dependencies.ts';

export interface Limits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface UpstreamAgent {
  readonly get: (url: URL, limits: Limits) => Promise<UpstreamReply>;
  /** Sockets in use and idle. */
  readonly openSockets: () => number;
  readonly close: () => void;
}

/** @param headers of each request */
export function createUpstreamAgent(headers: Readonly<Record<string, string>>): UpstreamAgent {
  // Idle sockets end after 30 s, well before the media server's own 75 s.
  const agentOptions = { keepAlive: true, maxFreeSockets: 64, scheduling: 'lifo', timeout: 30_000 } as const;
  const agents = { 'http:': new http.Agent(agentOptions), 'https:': new https.Agent(agentOptions) };
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
    get: async (url, limits) => {
      try {
        return await once(url, limits);
      } catch (error) {
        if ((error as { staleSocket?: boolean }).staleSocket === true) return once(url, limits);
        throw error;
      }
    },
    openSockets: () =>
      Object.values(agents).reduce((sum, agent) => sum + count(agent.sockets) + count(agent.freeSockets), 0),
    close: () => Object.values(agents).forEach((agent) => agent.destroy()),
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
