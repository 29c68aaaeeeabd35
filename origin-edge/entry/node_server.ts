/**
 * The HTTP server of the edge on Node: Hono's adaptor inside limits that slow, broken and hostile clients run into.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { problemBody } from '../../contracts/problem.ts';
import type { EdgeApp } from '../src/app.ts';
import { isPlainTarget } from '../src/request_target.ts';
import type { Reply } from '../src/respond.ts';
import type { Bytes } from '../src/stored_object.ts';
import { problemHeaders } from '../src/viewer_headers.ts';
import { cutSlowReaders } from './slow_readers.ts';
import { createWaitingLimit } from './waiting_limit.ts';

export interface NodeServer {
  readonly port: number;
  /** Stops accepting, lets replies end for `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

/** @throws the listener's error, such as a port that is taken */
export async function serveNode(
  edge: Pick<EdgeApp, 'app' | 'answer'>,
  port: number,
  host: string,
): Promise<NodeServer> {
  // A host name stands in for HTTP/1.0 requests without one; paths do not depend on it.
  const listener = getRequestListener(edge.app.fetch, {
    hostname: 'localhost',
    errorHandler: () => problemResponse(400, 'Bad Request'),
  });
  const limitWaiting = createWaitingLimit();
  const server = createServer(
    {
      // A slow writer: 15 s for its headers, 30 s in all. Nobody needs more than 16 KiB of headers.
      headersTimeout: 15_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16_384,
      // A missing Host is refused below, with the headers that every reply has.
      requireHostHeader: false,
      // Longer than load balancers keep an idle connection (60 s), so that they never write into a closed one.
      keepAliveTimeout: 65_000,
      noDelay: true,
    },
    (request, response) => {
      // What came in the same packet as the request too many.
      if (request.socket.destroyed) return;
      const work = isAcceptable(request)
        ? answerMedia(edge, request, response, listener)
        : refuse(request, response, 400, 'Bad Request');
      if (work !== undefined) limitWaiting(request.socket, work);
    },
  );
  // A silent connection. The longest silent wait of ours is 31 s.
  server.timeout = 50_000;
  cutSlowReaders(server, () => performance.now());
  server.maxHeadersCount = 100;
  server.on('clientError', refuseMalformed);
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    refuse(request, response, 417, 'Expectation Failed');
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
    close: async (graceMs = 5000) => close(server, graceMs),
  };
}

/**
 * Media goes out without the web's Request and Response in between: they cost as much again as the rest.
 * @param otherwise answers what is no media
 * @returns undefined when it is answered; else resolves then
 */
function answerMedia(
  edge: Pick<EdgeApp, 'answer'>,
  request: IncomingMessage,
  response: ServerResponse,
  otherwise: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<void> | undefined {
  const { headers } = request;
  const asker = {
    method: request.method ?? '',
    headers: {
      get: (name: string) => {
        const value = headers[name];
        return typeof value === 'string' ? value : null;
      },
    },
  };
  const reply = edge.answer(asker, request.url ?? '');
  if (reply === undefined) return otherwise(request, response);
  if (reply instanceof Promise) return reply.then((made) => write(made, response));
  return write(reply, response);
}

function write(reply: Reply, response: ServerResponse): undefined {
  // The client left while it waited.
  if (response.destroyed) return;
  response.writeHead(reply.status, reply.headers);
  if (reply.body === null) response.end();
  else if (reply.body.byteLength <= SMALL_BYTES) response.end(textOf(reply.body), 'latin1');
  else response.end(reply.body);
}

/** Playlists; with their heads they fit what libuv writes at once. */
const SMALL_BYTES = 15_000;
const texts = new WeakMap<Bytes, string>();

/** A character for each byte: Node puts head and text into one write, a buffer is a second one. Made once. */
function textOf(body: Bytes): string {
  let text = texts.get(body);
  if (text === undefined) {
    text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
    texts.set(body, text);
  }
  return text;
}

function problemResponse(status: number, title: string): Response {
  return new Response(problemBody({ status, title }), { status, headers: problemHeaders(status) });
}

/** A name or an address, and a port (RFC 3986 section 3.2, without what no host of ours has). */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

/**
 * A path that a URL parser would change (dot segments, escapes, empty segments) never reaches the app, nor does an
 * HTTP/1.1 request without its Host, or with one that is none (RFC 9112 section 3.2).
 */
function isAcceptable(request: IncomingMessage): boolean {
  const { host } = request.headers;
  return isPlainTarget(request.url ?? '') && (host === undefined ? request.httpVersion === '1.0' : HOST.test(host));
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, title: string): undefined {
  const body = problemBody({ status, title });
  response.writeHead(status, {
    ...problemHeaders(status),
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const MALFORMED: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** What the parser refuses gets its status, the usual headers, and a closed connection. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, title] = MALFORMED[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = problemBody({ status, title });
  const headers = { ...problemHeaders(status), 'content-length': Buffer.byteLength(body), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${title}`, ...lines, '', body].join('\r\n'), () => socket.destroy());
}

async function close(server: Server, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
}
