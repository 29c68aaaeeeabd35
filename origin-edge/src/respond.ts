/**
 * From a stored object to the reply of one request: coding, 304, 206, 416, HEAD. The hot path of the edge: no promise
 * and no header object is made where the stored ones will do.
 */
import { problemBody } from '../../contracts/problem.ts';
import type { Problem } from '../../contracts/problem.ts';
import { parseByteRange } from './byte_range.ts';
import { bytesOf } from './stored_object.ts';
import type { Bytes, Gzip, StoredObject, Variant } from './stored_object.ts';
import { problemHeaders } from './viewer_headers.ts';
import type { HeaderRecord } from './viewer_headers.ts';

/** What of a request decides the form of its reply. A `Request` is one. */
export interface Asker {
  readonly method: string;
  readonly headers: { get(name: string): string | null };
}

/** A reply that a runtime can write as it is. Neither headers nor body may be changed. */
export interface Reply {
  readonly status: number;
  /** Content-Length included. */
  readonly headers: HeaderRecord;
  readonly body: Bytes | null;
}

const ACCEPTS_GZIP = /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0{0,3})?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)/i;

/** A problem+json reply. 404 may be cached for a second, everything else not at all. */
export function problemReply(what: Problem, extra: HeaderRecord = {}): Reply {
  const body = bytesOf(problemBody(what));
  const headers = { ...problemHeaders(what.status), 'content-length': String(body.byteLength), ...extra };
  return { status: what.status, headers, body };
}

/** What the platform offers for compression. */
export interface Compression {
  readonly gzip: Gzip;
  /** Accept-Encoding as the viewer sent it; some platforms put their own there. */
  readonly acceptEncoding: (asker: Asker) => string | null;
}

/** A promise only when the object has yet to be compressed. */
export function respond(
  asker: Asker,
  object: StoredObject,
  nowMs: number,
  compression: Compression,
): Reply | Promise<Reply> {
  if (object.compressible && asker.headers.get('range') === null) {
    const coding = compression.acceptEncoding(asker);
    if (coding !== null && ACCEPTS_GZIP.test(coding)) {
      const variant = object.gzip(compression.gzip);
      return variant instanceof Promise
        ? variant.then((made) => respondWith(asker, object, made, nowMs))
        : respondWith(asker, object, variant, nowMs);
    }
  }
  return respondWith(asker, object, object.identity, nowMs);
}

function respondWith(asker: Asker, object: StoredObject, variant: Variant, nowMs: number): Reply {
  const headers = variant.headersAt(object.ageAt(nowMs));
  const isHead = asker.method === 'HEAD';
  const { status } = object;
  if (status === 200) {
    const wanted = asker.headers.get('if-none-match');
    if (wanted !== null && variant.etag !== undefined && matchesEtag(wanted, variant.etag)) {
      const { 'content-length': _length, 'content-type': _type, ...kept } = headers;
      return { status: 304, headers: kept, body: null };
    }
    const range = isHead ? null : asker.headers.get('range');
    if (range !== null && rangeApplies(asker.headers.get('if-range'), variant.etag)) {
      const partial = respondPartially(range, variant, headers);
      if (partial !== undefined) return partial;
    }
  }
  return { status, headers, body: isHead ? null : variant.body };
}

/** The reply for the web's own interface. */
export function toResponse({ status, headers, body }: Reply): Response {
  // workerd would compress a body again that is compressed already. Other platforms pass over the option.
  const init = 'content-encoding' in headers ? { status, headers, encodeBody: 'manual' } : { status, headers };
  return new Response(body, init);
}

/** If-None-Match, compared weakly (RFC 9110 section 13.1.2). */
function matchesEtag(header: string, etag: string): boolean {
  if (header === etag) return true;
  return header.split(',').some((entry) => {
    const tag = entry.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}

/** If-Range, compared strongly; a date never matches, we send none (RFC 9110 section 13.1.5). */
function rangeApplies(ifRange: string | null, etag: string | undefined): boolean {
  return ifRange === null || (etag !== undefined && ifRange.trim() === etag);
}

function respondPartially(header: string, variant: Variant, headers: HeaderRecord): Reply | undefined {
  const length = variant.body.byteLength;
  const range = parseByteRange(header, length);
  if (range === undefined) return undefined;
  if (range === 'unsatisfiable') {
    return problemReply({ status: 416, title: 'Range Not Satisfiable' }, { 'content-range': `bytes */${length}` });
  }
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(range.last - range.first + 1),
      'content-range': `bytes ${range.first}-${range.last}/${length}`,
    },
    body: variant.body.subarray(range.first, range.last + 1),
  };
}
