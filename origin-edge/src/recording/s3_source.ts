/**
 * Recordings in S3 or what speaks its language: GetObject and ListObjectsV2 over the platform's fetch, signed by
 * aws4fetch, which needs nothing but web APIs.
 */
import { AwsV4Signer } from 'aws4fetch';
import type { StoreKey } from '../../../contracts/recording.ts';
import { readWhole } from '../read_whole.ts';
import type { ListedObject, Listing, ReadLimits, RecordingSource, SourceObject } from './recording_source.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface S3SourceOptions {
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly region: string;
  /** Base URL of an S3 that is not Amazon's; its buckets are then part of the path. */
  readonly endpoint?: string | undefined;
  /** Asked for each request: they may expire. */
  readonly credentials: () => Promise<AwsCredentials>;
}

/** What S3 calls slow down, internal, unavailable: the same request may do a moment later. */
const AGAIN = new Set([429, 500, 502, 503, 504]);
const ATTEMPTS = 3;
const LIST_PAGE = 1000;
const MAX_LIST_BYTES = 2 ** 21;

export function createS3Source(options: S3SourceOptions): RecordingSource {
  const base = bucketUrl(options);
  const signingKeys = new Map<string, ArrayBuffer>();
  const send = async (url: string, timeoutMs: number): Promise<Response> => {
    const { accessKeyId, secretAccessKey, sessionToken } = await options.credentials();
    const signed = await new AwsV4Signer({
      url,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: 's3',
      region: options.region,
      cache: signingKeys,
    }).sign();
    // A redirect would take the signature to a host that nobody has named.
    return fetch(signed.url, {
      headers: signed.headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  };
  const ask = async (url: string, timeoutMs: number): Promise<Response> => {
    const deadlineMs = Date.now() + timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      const response = await send(url, Math.max(1, deadlineMs - Date.now()));
      if (response.status === 200 || response.status === 404) return response;
      await response.body?.cancel();
      const pauseMs = 100 * attempt * (1 + Math.random());
      if (!AGAIN.has(response.status) || attempt === ATTEMPTS || Date.now() + pauseMs >= deadlineMs) {
        throw new Error(`S3 answered ${response.status}, wanted 200 or 404`);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, pauseMs);
      });
    }
  };
  return {
    get: async (key, limits) => readObject(await ask(`${base}/${options.prefix}${key}`, limits.timeoutMs), limits),
    list: async (prefix, { timeoutMs, limit, folders }) => {
      const query = { prefix: `${options.prefix}${prefix}`, ...(folders === true ? { delimiter: '/' } : {}) };
      const objects: ListedObject[] = [];
      const names: string[] = [];
      let nowMs = Number.POSITIVE_INFINITY;
      let token: string | undefined;
      do {
        const page = await readPage(await ask(listUrl(base, query, token), timeoutMs), options.prefix);
        objects.push(...page.objects);
        names.push(...page.folders);
        nowMs = Math.min(nowMs, page.nowMs);
        token = page.next;
      } while (token !== undefined && objects.length + names.length < limit);
      return { objects, folders: names, nowMs };
    },
  };
}

function bucketUrl({ bucket, region, endpoint }: S3SourceOptions): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, '')}/${bucket}`;
  // A dot in the name of a bucket is none that the certificate of a host name covers.
  if (bucket.includes('.')) return `https://s3.${region}.amazonaws.com/${bucket}`;
  return `https://${bucket}.s3.${region}.amazonaws.com`;
}

async function readObject(response: Response, limits: ReadLimits): Promise<SourceObject | undefined> {
  if (response.status === 404) {
    const text = new TextDecoder().decode(await readWhole(response, MAX_LIST_BYTES));
    // A bucket that is not there is no object that is not there.
    if (text.includes('NoSuchBucket')) throw new Error('S3 has no such bucket');
    return undefined;
  }
  return {
    body: await readWhole(response, limits.maxBytes),
    etag: response.headers.get('etag') ?? '"none"',
    contentType: response.headers.get('content-type') ?? undefined,
  };
}

function listUrl(base: string, query: Readonly<Record<string, string>>, token: string | undefined): string {
  const parameters = new URLSearchParams({ 'list-type': '2', 'max-keys': String(LIST_PAGE), ...query });
  if (token !== undefined) parameters.set('continuation-token', token);
  return `${base}/?${parameters.toString()}`;
}

/** ListObjectsV2's XML: flat, without attributes that matter, so that it is read by its tags. */
async function readPage(response: Response, prefix: string): Promise<Listing & { readonly next: string | undefined }> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`S3 answered ${response.status} to a list, wanted 200`);
  }
  const xml = new TextDecoder().decode(await readWhole(response, MAX_LIST_BYTES));
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].flatMap(([, body = '']) =>
    listedObject(body, prefix),
  );
  const folders = [...xml.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs)].flatMap(([, body = '']) => {
    const name = tag(body, 'Prefix');
    return name?.startsWith(prefix) === true ? [name.slice(prefix.length)] : [];
  });
  const isTruncated = tag(xml, 'IsTruncated') === 'true';
  return {
    objects,
    folders,
    nowMs: Date.parse(response.headers.get('date') ?? '') || Date.now(),
    next: isTruncated ? tag(xml, 'NextContinuationToken') : undefined,
  };
}

function listedObject(body: string, prefix: string): ListedObject[] {
  const key: StoreKey | undefined = tag(body, 'Key');
  const modifiedAtMs = Date.parse(tag(body, 'LastModified') ?? '');
  if (key?.startsWith(prefix) !== true || Number.isNaN(modifiedAtMs)) return [];
  return [{ key: key.slice(prefix.length), etag: tag(body, 'ETag') ?? '', modifiedAtMs }];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#34': '"' };

function tag(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replaceAll(/&([a-z]+|#34);/g, (entity, word: string) => ENTITIES[word] ?? entity);
}
