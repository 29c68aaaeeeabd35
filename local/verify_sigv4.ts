/**
 * Checks that a request was signed with AWS Signature Version 4 by the holder of one pair of credentials
 * (docs.aws.amazon.com, "Create a signed AWS API request"), as Lambda's own endpoint does.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** A signature is good for this long before and after its date, ms. */
const SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/([0-9]{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request,\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$/;
/** What must be under the signature, so that a request cannot be turned into another. */
const NEEDED = ['host', 'x-amz-date'];

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** RFC 3986, with every reserved character escaped. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function canonicalRequest(request: SignedRequest, signedHeaders: string): string {
  const query = request.target.indexOf('?');
  const path = query < 0 ? request.target : request.target.slice(0, query);
  const parameters = new URLSearchParams(query < 0 ? '' : request.target.slice(query + 1));
  const pairs = [...parameters].map(([name, value]) => `${escape(name)}=${escape(value)}`).toSorted();
  const headers = signedHeaders
    .split(';')
    .map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`)
    .join('');
  // Every service but S3 escapes the path, which is already escaped, once more.
  const escapedPath = path.split('/').map(escape).join('/');
  return [request.method, escapedPath, pairs.join('&'), headers, signedHeaders, sha256(request.body)].join('\n');
}

/** `yyyymmddThhmmssZ` as ms since 1970. */
function parseAmzDate(text: string): number {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** @returns undefined when the signature holds, else why not, without a secret */
export function refuseSignature(
  request: SignedRequest,
  credentials: SigningCredentials,
  nowMs: number,
): string | undefined {
  const match = AUTHORIZATION.exec(request.headers.authorization ?? '');
  if (match === null) return 'wanted an Authorization header of AWS Signature Version 4';
  const [, accessKeyId = '', date = '', region = '', service = '', signedHeaders = '', signature = ''] = match;
  const amzDate = request.headers['x-amz-date'] ?? '';
  const signedAtMs = parseAmzDate(amzDate);
  if (!(Math.abs(nowMs - signedAtMs) <= SKEW_MS) || !amzDate.startsWith(date)) return 'the signature has expired';
  const names = signedHeaders.split(';');
  if (!NEEDED.every((name) => names.includes(name))) return 'the signature does not cover host and x-amz-date';
  if (service !== 'lambda') return 'the signature is for another service';
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', amzDate, scope, sha256(canonicalRequest(request, signedHeaders))].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${credentials.secretAccessKey}`, date), region), service), 'aws4_request');
  const matches = timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'));
  const known = accessKeyId === credentials.accessKeyId;
  return matches && known ? undefined : 'the signature does not match';
}
