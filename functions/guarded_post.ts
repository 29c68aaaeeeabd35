/**
 * POST to a URL that an operator named, without being led astray: no private addresses (judged by the address that is
 * connected to, so neither names nor odd notations help), no redirects, no proxies, a bounded body and a deadline.
 */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import { classifyAddress, isPublicAddress } from '../contracts/address_policy.ts';

export interface GuardedPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the request, whatever it is doing. */
  readonly signal: AbortSignal;
  /** 0: the status alone is wanted, the body is not read. */
  readonly maxReplyBytes: number;
  /** Lets requests go to loopback, private and link-local addresses too. */
  readonly allowPrivate: boolean;
  /** Name look-up; the system's unless given. */
  readonly resolve?: ResolveName;
}

export interface GuardedReply {
  readonly status: number;
  readonly body: Buffer;
}

/** All addresses of a name. */
export type ResolveName = (hostname: string) => Promise<readonly LookupAddress[]>;

/** Why no reply came, in one line without the URL (its path or query may hold a secret). */
export class GuardedPostError extends Error {
  override readonly name = 'GuardedPostError';
  readonly code: 'refused-address' | 'too-large' | 'timeout' | 'network';

  constructor(code: GuardedPostError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

const systemResolve: ResolveName = (hostname) => lookup(hostname, { all: true });

function refusal(address: string): GuardedPostError {
  return new GuardedPostError('refused-address', `the target's address is not public (${classifyAddress(address)})`);
}

/** A `lookup` for sockets that try all of a name's addresses: it only ever gives them those they may connect to. */
function guardedLookup(resolveName: ResolveName): LookupFunction {
  return callbackify(async (hostname: string, _options: LookupOptions): Promise<LookupAddress[]> => {
    const addresses = await resolveName(hostname);
    const allowed = addresses.filter(({ address }) => isPublicAddress(address));
    if (allowed.length === 0) throw refusal(addresses[0]?.address ?? '');
    return allowed;
  });
}

/** What a socket's error may say in a log: its code. */
function networkError(error: unknown, signal: AbortSignal): GuardedPostError {
  if (error instanceof GuardedPostError) return error;
  if (signal.aborted) return new GuardedPostError('timeout', 'no complete reply in time', { cause: error });
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new GuardedPostError('network', `the request failed (${code})`, { cause: error });
}

function readBody(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        reject(new GuardedPostError('too-large', `the reply is larger than ${maxBytes} bytes`));
        response.destroy();
      } else {
        chunks.push(chunk);
      }
    });
    response.once('end', () => resolve(Buffer.concat(chunks)));
    response.once('error', reject);
    response.once('close', () => reject(new GuardedPostError('network', 'the reply broke off')));
  });
}

/** @throws GuardedPostError */
export async function guardedPost(post: GuardedPost): Promise<GuardedReply> {
  const { url, signal } = post;
  const tls = url.protocol === 'https:';
  if (!tls && url.protocol !== 'http:') throw new GuardedPostError('network', 'wanted an http or https URL');
  // Sockets do not look literals up. The URL parser has already made `0x7f.1` and its like into plain addresses.
  const literal = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!post.allowPrivate && isIP(literal) !== 0 && !isPublicAddress(literal)) throw refusal(literal);
  // An agent of its own: no pooled connection that an earlier, laxer look-up opened, and no proxy from the environment.
  // All addresses of a name at once is the form that the look-up answers in.
  const sockets = { keepAlive: false, autoSelectFamily: true };
  const agent = tls ? new https.Agent(sockets) : new http.Agent(sockets);
  const options: http.RequestOptions = {
    method: 'POST',
    agent,
    signal,
    headers: {
      'accept-encoding': 'identity',
      ...post.headers,
      'content-length': String(Buffer.byteLength(post.body)),
    },
    ...(!post.allowPrivate && { lookup: guardedLookup(post.resolve ?? systemResolve) }),
  };
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = (tls ? https : http).request(url, options, resolve);
      // Stays for the request's life: what comes after the reply is the reader's to notice.
      request.on('error', reject);
      request.end(post.body);
    });
    const status = response.statusCode ?? 0;
    if (post.maxReplyBytes === 0) {
      response.destroy();
      return { status, body: Buffer.alloc(0) };
    }
    return { status, body: await readBody(response, post.maxReplyBytes) };
  } catch (error) {
    throw networkError(error, signal);
  } finally {
    agent.destroy();
  }
}
