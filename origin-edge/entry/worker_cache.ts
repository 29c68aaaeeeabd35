/**
 * What goes to the cached entrypoint of the Worker and what comes back from it: one request for all viewers of an
 * object, and the reply made theirs again.
 */
const TEXT = /^application\/(?:vnd\.apple\.mpegurl|json)/;

/**
 * The request that viewers share: no token, no cookie, no Accept-Encoding, of the query what names the object.
 * @param key path and query
 */
export function cachedRequest(request: Request, key: string): Request {
  const headers = new Headers();
  for (const name of ['range', 'if-range', 'if-none-match']) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value.replaceAll('-gz"', '"'));
  }
  return new Request(new URL(key, request.url), { method: request.method, headers });
}

/** Texts are kept unpacked and packed for each viewer, by the runtime itself: it does so for this Content-Encoding. */
export function packedFor(acceptEncoding: string | null, reply: Response): Response {
  const type = reply.headers.get('content-type') ?? '';
  const wantsGzip = /(?:^|,)\s*gzip\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:,|$)))/i.test(acceptEncoding ?? '');
  if (reply.status !== 200 || !wantsGzip || !TEXT.test(type)) return reply;
  const headers = new Headers(reply.headers);
  const etag = headers.get('etag');
  if (etag !== null) headers.set('etag', `${etag.slice(0, -1)}-gz"`);
  headers.delete('content-length');
  headers.delete('accept-ranges');
  headers.set('content-encoding', 'gzip');
  return new Response(reply.body, { status: reply.status, headers });
}
