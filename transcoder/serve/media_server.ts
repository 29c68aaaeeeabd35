/**
 * The transcoder's HTTP server: live playlists and media from memory, for edges only. Raw node:http, because every
 * viewer's bytes pass here once per edge.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { CACHE_POLICY } from '../../contracts/cache_policy.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import { problemBody } from '../../contracts/problem.ts';
import { bearerCheck } from './bearer_token.ts';
import { answerMedia } from './media_handler.ts';
import { problemReply, writeReply } from './media_reply.ts';
import type { MediaReply } from './media_reply.ts';
import type { StreamDirectory } from './stream_view.ts';

export interface MediaServerOptions {
  readonly directory: StreamDirectory;
  /** What edges must show as Bearer token. Leave out on loopback only. */
  readonly mediaToken?: string;
  /** For /readyz: may this server take new streams? */
  readonly ready: () => boolean;
  /** Told of an error that no reply could express; holds no token and no URL query. */
  readonly onError: (error: unknown, path: string) => void;
}

export interface MediaServer {
  /** Resolves with the port once connections are accepted; 0 asks for a free one. Rejects when the port is taken. */
  listen(port: number, host: string): Promise<number>;
  /** Stops accepting, ends idle connections, and cuts what is still open after `graceMs` (default 2 s). */
  close(graceMs?: number): Promise<void>;
}

const NOT_FOUND = problemReply({ status: 404, title: 'Not Found' });
const WRONG_METHOD = problemReply({ status: 405, title: 'Method Not Allowed' }, { allow: 'GET, HEAD' });
const WRONG_TOKEN = problemReply({ status: 401, title: 'Unauthorized' }, { 'www-authenticate': 'Bearer' });
const INTERNAL = problemReply({ status: 500, title: 'Internal Server Error' });

const health = (status: number, text: string): MediaReply => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': CACHE_POLICY.error.cacheControl(0) },
  body: [Buffer.from(`${text}\n`)],
});
const OK = health(200, 'ok');
const NOT_READY = health(503, 'not ready');

/** Nothing is opened before `listen`. */
export function createMediaServer(options: MediaServerOptions): MediaServer {
  const mayRead = bearerCheck(options.mediaToken);
  const server = createServer(
    {
      // A slow writer has 10 s for its headers and 15 s in all; nobody needs more than 16 KiB of them.
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16_384,
      // Longer than an edge keeps idle connections (30 s), so that it is never the server that closes first.
      keepAliveTimeout: 75_000,
      noDelay: true,
    },
    (request, response) => {
      void answer(request, response, options, mayRead);
    },
  );
  // The longest silent wait is three target durations of at most 10 s; a reader that takes nothing for 60 s is gone.
  server.timeout = 60_000;
  server.maxHeadersCount = 100;
  server.on('clientError', refuseMalformed);
  return {
    listen: async (port, host) => listen(server, port, host),
    close: async (graceMs = 2000) => close(server, graceMs),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: MediaServerOptions,
  mayRead: (authorization: string | undefined) => boolean,
): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  try {
    const early = answerEarly(request, path, options, mayRead);
    if (early !== undefined) {
      writeReply(request, response, early);
      return;
    }
    const media = parseMediaPath(path);
    if (media === undefined) {
      writeReply(request, response, NOT_FOUND);
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    writeReply(request, response, await answerMedia(options.directory, media, query, gone.signal));
  } catch (error) {
    if (response.destroyed) return;
    options.onError(error, path);
    if (response.headersSent) response.destroy();
    else writeReply(request, response, INTERNAL);
  }
}

function answerEarly(
  request: IncomingMessage,
  path: string,
  options: MediaServerOptions,
  mayRead: (authorization: string | undefined) => boolean,
): MediaReply | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return WRONG_METHOD;
  if (path === '/livez') return OK;
  if (path === '/readyz') return options.ready() ? OK : NOT_READY;
  return mayRead(request.headers.authorization) ? undefined : WRONG_TOKEN;
}

const MALFORMED_STATUS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** What the parser refuses gets its status and a closed connection. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, title] = MALFORMED_STATUS[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = problemBody({ status, title });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
}
