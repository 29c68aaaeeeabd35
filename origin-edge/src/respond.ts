/**
 * From a stored object to the reply of one request: coding, 304, 206, 416, HEAD. The hot path of the edge: no promise
 * and no header object is made where the stored ones will do.
 */
import { parseByteRange } from './byte_range.ts';
import type { Gzip, StoredObject, Variant } from './stored_object.ts';
import { problem } from './viewer_headers.ts';

const ACCEPTS_GZIP = /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0{0,3})?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)/i;

/** What the platform offers for compression. */
export interface Compression {
  readonly gzip: Gzip;
  /** Accept-Encoding as the viewer sent it; some platforms put their own there. */
  readonly acceptEncoding: (request: Request) => string | null;
}

export function respond(
  request: Request,
  object: StoredObject,
  nowMs: number,
  compression: Compression,
): Response | Promise<Response> {
  if (object.compressible && !request.headers.has('range')) {
    const coding = compression.acceptEncoding(request);
    if (coding !== null && ACCEPTS_GZIP.test(coding)) {
      const variant = object.gzip(compression.gzip);
      return variant instanceof Promise
        ? variant.then((made) => respondWith(request, object, made, nowMs))
        : respondWith(request, object, variant, nowMs);
    }
  }
  return respondWith(request, object, object.identity, nowMs);
}

/** Tells workerd that the body is compressed already; it would do it again. Other platforms pass over it. */
const PACKED: object = { encodeBody: 'manual' };

function respondWith(request: Request, object: StoredObject, variant: Variant, nowMs: number): Response {
  const headers = variant.headersAt(object.ageAt(nowMs));
  const isHead = request.method === 'HEAD';
  const { status } = object;
  if (status === 200) {
    const wanted = request.headers.get('if-none-match');
    if (wanted !== null && variant.etag !== undefined && matchesEtag(wanted, variant.etag)) {
      const { 'content-length': _length, 'content-type': _type, ...kept } = headers;
      return new Response(null, { status: 304, headers: kept });
    }
    const range = isHead ? null : request.headers.get('range');
    if (range !== null && rangeApplies(request.headers.get('if-range'), variant.etag)) {
      const partial = respondPartially(range, variant, headers);
      if (partial !== undefined) return partial;
    }
  }
  return new Response(
    isHead ? null : variant.body,
    variant === object.identity ? { status, headers } : { ...PACKED, status, headers },
  );
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

function respondPartially(
  header: string,
  variant: Variant,
  headers: Readonly<Record<string, string>>,
): Response | undefined {
  const length = variant.body.byteLength;
  const range = parseByteRange(header, length);
  if (range === undefined) return undefined;
  if (range === 'unsatisfiable') {
    return problem({ status: 416, title: 'Range Not Satisfiable' }, { 'content-range': `bytes */${length}` });
  }
  return new Response(variant.body.subarray(range.first, range.last + 1), {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(range.last - range.first + 1),
      'content-range': `bytes ${range.first}-${range.last}/${length}`,
    },
  });
}
