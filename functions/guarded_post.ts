/**
 * POST to a URL that an operator named, without being led astray: no private addresses (judged by the address that is
 * connected to, so neither names nor odd notations help), no redirects, no proxies, a bounded body and a deadline.
 */
import { lookup as dnsLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { classifyAddress, isPublicAddress } from '../contracts/address_policy.ts';

export interface GuardedPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends the request, whatever it is doing. */
  readonly signal: AbortSignal;
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

const systemResolve: ResolveName = (hostname) =>
  new Promise((resolve, reject) => {
    dnsLookup(hostname, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses);
    });
  });

function refusal(address: string): GuardedPostError {
  return new GuardedPostError('refused-address', `the target's address is not public (${classifyAddress(address)})`);
}

/** A `lookup` for sockets that only ever gives them addresses they may connect to. */
function guardedLookup(resolveName: ResolveName): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname).then(
      (addresses) => {
        const allowed = addresses.filter(({ address }) => isPublicAddress(address));
        const first = allowed[0];
        if (first === undefined) callback(refusal(addresses[0]?.address ?? ''), '');
        else if (options.all === true) callback(null, allowed);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), ''),
    );
  };
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
  const agent = tls ? new https.Agent({ keepAlive: false }) : new http.Agent({ keepAlive: false });
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
    return { status: response.statusCode ?? 0, body: await readBody(response, post.maxReplyBytes) };
  } catch (error) {
    throw networkError(error, signal);
  } finally {
    agent.destroy();
  }
}
