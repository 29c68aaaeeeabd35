/**
 * Lambda's Invoke operation over the handlers of this project, for one machine and for tests: the transcoder reaches
 * them through the same AWS client as in the cloud. `GET /resolve/{streamId}` stands for the function URL of `resolve`.
 */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FunctionHandler } from '../functions/create_handler.ts';
import type { HttpFunction } from '../functions/handlers/resolve.ts';
import { refuseSignature } from './verify_sigv4.ts';
import type { SigningCredentials } from './verify_sigv4.ts';

export interface InvokeServerOptions {
  readonly host: string;
  /** 0 picks one. */
  readonly port: number;
  /** By name, the prefix of the stage included. */
  readonly functions: ReadonlyMap<string, FunctionHandler>;
  readonly resolve?: HttpFunction | undefined;
  /** Without them every caller is believed, which only a loopback address may do. */
  readonly credentials?: SigningCredentials | undefined;
  readonly nowMs: () => number;
  /** Told of a handler that threw. */
  readonly onError: (name: string, error: unknown) => void;
}

export interface InvokeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Lambda's own limit of a synchronous payload. */
const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024;
const INVOKE = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?.*)?$/;
const LOOPBACK = /^(?:localhost|::1|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function failure(status: number, type: string, message: string): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
    body: JSON.stringify({ Type: 'User', Message: message }),
  };
}

/** @returns undefined when the body is larger than a payload may be */
async function readBody(request: http.IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_PAYLOAD_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The function's name in a name, a qualified name or an ARN. */
function functionName(text: string): string {
  const parts = decodeURIComponent(text).split(':');
  return (parts[0] === 'arn' ? parts[6] : parts[0]) ?? '';
}

async function invoke(options: InvokeServerOptions, request: http.IncomingMessage, name: string): Promise<Reply> {
  const body = await readBody(request);
  if (body === undefined) return failure(413, 'RequestTooLargeException', 'the payload is larger than 6 MB');
  if (options.credentials !== undefined) {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([key, value]) => [key, Array.isArray(value) ? value.join(',') : value]),
    );
    const signed = { method: request.method ?? '', target: request.url ?? '', headers, body };
    const refused = refuseSignature(signed, options.credentials, options.nowMs());
    if (refused !== undefined) return failure(403, 'InvalidSignatureException', refused);
  }
  const handler = options.functions.get(functionName(name));
  if (handler === undefined) return failure(404, 'ResourceNotFoundException', 'there is no such function');
  let event: unknown;
  try {
    event = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch {
    return failure(400, 'InvalidRequestContentException', 'the payload is not JSON');
  }
  const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
  if (type === 'DryRun') return { status: 204 };
  const call = run(options, name, handler, event);
  if (type === 'Event') return { status: 202 };
  return call;
}

async function run(
  options: InvokeServerOptions,
  name: string,
  handler: FunctionHandler,
  event: unknown,
): Promise<Reply> {
  const headers = { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' };
  try {
    const reply = await handler(event, { awsRequestId: randomUUID() });
    return { status: 200, headers, body: JSON.stringify(reply ?? null) };
  } catch (error) {
    options.onError(name, error);
    const errorType = error instanceof Error ? error.name : 'Error';
    return {
      status: 200,
      headers: { ...headers, 'x-amz-function-error': 'Unhandled' },
      body: JSON.stringify({ errorType, errorMessage: 'the function failed' }),
    };
  }
}

async function answer(options: InvokeServerOptions, request: http.IncomingMessage): Promise<Reply> {
  const target = request.url ?? '';
  const name = INVOKE.exec(target)?.[1];
  if (name !== undefined && request.method === 'POST') return invoke(options, request, name);
  if (target === '/livez' && request.method === 'GET') return { status: 200, body: 'ok\n' };
  if (options.resolve !== undefined && target.startsWith('/resolve/')) {
    const headers = { authorization: request.headers.authorization ?? '' };
    const rawPath = target.split('?', 1)[0];
    const event = { rawPath, headers, requestContext: { http: { method: request.method } } };
    const { statusCode, headers: replyHeaders, body } = await options.resolve(event, { awsRequestId: randomUUID() });
    return { status: statusCode, headers: replyHeaders, body };
  }
  return failure(404, 'ResourceNotFoundException', 'there is no such operation');
}

async function respond(
  options: InvokeServerOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  let reply: Reply;
  try {
    reply = await answer(options, request);
  } catch (error) {
    options.onError('invoke', error);
    reply = failure(500, 'ServiceException', 'the call failed');
  }
  response.writeHead(reply.status, reply.headers);
  response.end(reply.body);
}

/** @throws Error in one line when the address is not loopback and no credentials are given, or the port is taken */
export async function startInvokeServer(options: InvokeServerOptions): Promise<InvokeServer> {
  if (options.credentials === undefined && !LOOPBACK.test(options.host)) {
    throw new Error(
      `HW_BIND: got ${JSON.stringify(options.host)}, wanted a loopback address while AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set`,
    );
  }
  const server = http.createServer({ requestTimeout: 15_000, headersTimeout: 10_000 }, (request, response) => {
    void respond(options, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
