/**
 * A reply of the media server, and how it is written: buffers go out as they are, in one `writev`, never joined.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { problemBody } from '../../contracts/problem.ts';
import type { Problem } from '../../contracts/problem.ts';

export interface MediaReply {
  readonly status: number;
  /** Lower-case names; Content-Length is added on writing. */
  readonly headers: Readonly<Record<string, string>>;
  /** Not written to, not kept. */
  readonly body: readonly Uint8Array[];
}

/** A problem+json reply; `no-store` except for 404, which a part that is about to be made must outlive by a second. */
export function problemReply(problem: Problem, extra: Readonly<Record<string, string>> = {}): MediaReply {
  const kind = problem.status === 404 ? 'not-found' : 'error';
  return {
    status: problem.status,
    headers: {
      'content-type': CONTENT_TYPE.problem,
      'cache-control': CACHE_POLICY[kind].cacheControl(0),
      ...extra,
    },
    body: [Buffer.from(problemBody(problem))],
  };
}

/** A reply of one text, its ETag being the text's hash. */
export function textReply(text: string, headers: Readonly<Record<string, string>>): MediaReply {
  const etag = `"${createHash('sha1').update(text).digest('base64url')}"`;
  return { status: 200, headers: { ...headers, etag }, body: [Buffer.from(text)] };
}

/** True when If-None-Match names the reply's ETag (RFC 9110 section 13.1.2, weak comparison). */
function isUnchanged(request: IncomingMessage, reply: MediaReply): boolean {
  const wanted = request.headers['if-none-match'];
  const etag = reply.headers.etag;
  if (wanted === undefined || etag === undefined || reply.status !== 200) return false;
  return wanted.split(',').some((entry) => {
    const tag = entry.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

/** Writes the reply, without its body for HEAD, or 304 when the asker has it already. */
export function writeReply(request: IncomingMessage, response: ServerResponse, reply: MediaReply): void {
  if (response.destroyed) return;
  if (isUnchanged(request, reply)) {
    const { 'content-type': _, ...headers } = reply.headers;
    response.writeHead(304, headers).end();
    return;
  }
  let length = 0;
  for (const buffer of reply.body) length += buffer.byteLength;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': length });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  response.cork();
  for (const buffer of reply.body) response.write(buffer);
  response.end();
  response.uncork();
}
