/**
 * One reply as the edge keeps it: its bytes once, its headers ready to be sent, its gzip form made once on demand.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { problemBody } from '../../contracts/problem.ts';
import type { Problem } from '../../contracts/problem.ts';
import type { PlaybackPolicy } from '../../contracts/registry.ts';
import { carryToken } from './carry_token.ts';
import { vlcForm } from './recording/vlc_form.ts';
import { COMMON_HEADERS, problemHeaders } from './viewer_headers.ts';
import type { HeaderRecord } from './viewer_headers.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** Compresses by gzip (RFC 1952); synchronously where the runtime can. */
export type Gzip = (bytes: Bytes) => Bytes | Promise<Bytes>;

export interface ObjectDescription {
  readonly status: number;
  readonly body: Bytes;
  readonly contentType: string;
  readonly cacheControl: string;
  /** With its quotes; undefined: none. */
  readonly etag?: string | undefined;
  /** When the bytes came from upstream, ms on the monotonic clock. */
  readonly fetchedAtMs: number;
  /** How long this edge may answer with it, ms. */
  readonly freshForMs: number;
  /** A text that players take under gzip. */
  readonly compressible?: boolean;
  readonly extra?: HeaderRecord;
  /** Who may have it, where that is not the stream's present policy: of a recording its own. */
  readonly policy?: PlaybackPolicy;
  /** A media playlist of a recording, which VLC gets in a form of its own. */
  readonly hasVlcForm?: boolean;
}

/** The bytes under one content coding. */
export class Variant {
  readonly body: Bytes;
  readonly etag: string | undefined;
  readonly #base: HeaderRecord;
  #age = -1;
  #headers: HeaderRecord = {};

  constructor(body: Bytes, etag: string | undefined, base: HeaderRecord) {
    this.body = body;
    this.etag = etag;
    this.#base = { ...base, 'content-length': String(body.byteLength), ...(etag === undefined ? {} : { etag }) };
  }

  /** The same object for all requests within one second of age. Not to be changed. */
  headersAt(ageSeconds: number): HeaderRecord {
    if (ageSeconds !== this.#age) {
      this.#headers = { ...this.#base, age: String(ageSeconds) };
      this.#age = ageSeconds;
    }
    return this.#headers;
  }
}

const GZIP_FROM_BYTES = 256;

export class StoredObject {
  readonly status: number;
  readonly compressible: boolean;
  readonly policy: PlaybackPolicy | undefined;
  readonly hasVlcForm: boolean;
  readonly fetchedAtMs: number;
  readonly freshUntilMs: number;
  readonly identity: Variant;
  readonly #what: ObjectDescription;
  readonly #base: HeaderRecord;
  #gzip: Variant | Promise<Variant> | undefined;
  #tokenForm: StoredObject | undefined;
  #privateForm: StoredObject | undefined;
  #vlcForm: StoredObject | undefined;

  constructor(what: ObjectDescription) {
    this.#what = what;
    this.status = what.status;
    this.policy = what.policy;
    this.hasVlcForm = what.hasVlcForm === true;
    this.compressible = what.compressible === true && what.body.byteLength >= GZIP_FROM_BYTES;
    this.fetchedAtMs = what.fetchedAtMs;
    this.freshUntilMs = what.fetchedAtMs + what.freshForMs;
    this.#base = {
      ...COMMON_HEADERS,
      'content-type': what.contentType,
      'cache-control': what.cacheControl,
      ...(what.status === 200 ? { 'accept-ranges': 'bytes' } : {}),
      ...(what.compressible === true ? { vary: 'Accept-Encoding' } : {}),
      ...what.extra,
    };
    this.identity = new Variant(what.body, what.etag, this.#base);
  }

  /** The same object as if it had come at `nowMs`, good for `freshForMs`. */
  renewed(nowMs: number, freshForMs: number): StoredObject {
    return new StoredObject({ ...this.#what, fetchedAtMs: nowMs, freshForMs });
  }

  /** The same object, for whom `policy` lets have it. */
  under(policy: PlaybackPolicy): StoredObject {
    return new StoredObject({ ...this.#what, policy });
  }

  /** The bytes of another object and then these. */
  after(first: StoredObject): StoredObject {
    const body = new Uint8Array(first.identity.body.byteLength + this.identity.body.byteLength);
    body.set(first.identity.body);
    body.set(this.identity.body, first.identity.body.byteLength);
    const { etag } = this.#what;
    return new StoredObject({
      ...this.#what,
      body,
      etag: etag === undefined ? undefined : `${etag.slice(0, -1)}-init"`,
    });
  }

  /** The same object where something else may stand one day: kept for as long as a recording's playlist. */
  brief(): StoredObject {
    return new StoredObject({
      ...this.#what,
      cacheControl: CACHE_POLICY['recording-final'].cacheControl(0),
      freshForMs: 60_000,
    });
  }

  /** For VLC alone: no shared cache may keep it for others. Made once. */
  vlcForm(): StoredObject {
    this.#vlcForm ??= new StoredObject({
      ...this.#what,
      hasVlcForm: false,
      body: bytesOf(vlcForm(new TextDecoder().decode(this.#what.body))),
      etag: this.#what.etag === undefined ? undefined : `${this.#what.etag.slice(0, -1)}-vlc"`,
      cacheControl: 'private, max-age=1',
    });
    return this.#vlcForm;
  }

  /** For viewers who show a token in the URL: playlists hand it on to what they list. Made once. */
  tokenForm(): StoredObject {
    if (this.#what.contentType !== CONTENT_TYPE.playlist || this.status !== 200) return this;
    this.#tokenForm ??= new StoredObject({
      ...this.#what,
      body: bytesOf(carryToken(new TextDecoder().decode(this.#what.body))),
      etag: this.#what.etag === undefined ? undefined : `${this.#what.etag.slice(0, -1)}-token"`,
    });
    return this.#tokenForm;
  }

  /**
   * For viewers who show a token outside of the URL: a shared cache would hand what it kept to others, since `public`
   * lets it keep replies to requests with Authorization (RFC 9111 section 3.5). Made once.
   */
  privateForm(): StoredObject {
    this.#privateForm ??= new StoredObject({
      ...this.#what,
      cacheControl: this.#what.cacheControl.replace('public', 'private'),
      extra: { ...this.#what.extra, vary: 'Authorization, Cookie, Accept-Encoding' },
    });
    return this.#privateForm;
  }

  /** Bytes that it takes in a cache: the body, and an allowance for what stands around it. */
  get cost(): number {
    return this.identity.body.byteLength * (this.compressible ? 1.25 : 1) + 1024;
  }

  /** Whole seconds since the bytes were made upstream (RFC 9111 section 5.1). */
  ageAt(nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.fetchedAtMs) / 1000));
  }

  /** The gzip form, compressed by the first who asks. Its ETag is its own: the bytes differ (RFC 9110 8.8.3). */
  gzip(compress: Gzip): Variant | Promise<Variant> {
    if (this.#gzip !== undefined) return this.#gzip;
    const made = compress(this.identity.body);
    if (!(made instanceof Promise)) return (this.#gzip = this.#gzipVariant(made));
    const variant = made.then((body) => (this.#gzip = this.#gzipVariant(body)));
    this.#gzip = variant;
    return variant;
  }

  #gzipVariant(body: Bytes): Variant {
    const { etag } = this.identity;
    const own = etag === undefined ? undefined : `${etag.slice(0, -1)}-gz"`;
    return new Variant(body, own, { ...this.#base, 'content-encoding': 'gzip' });
  }
}

const encoder = new TextEncoder();

/** UTF-8 bytes of a text. */
export function bytesOf(text: string): Bytes {
  return encoder.encode(text);
}

/** A problem that the edge remembers for `rememberMs`, so that many who ask do not become many requests upstream. */
export function problemObject(
  what: Problem,
  nowMs: number,
  rememberMs: number,
  extra: HeaderRecord = {},
): StoredObject {
  return new StoredObject({
    status: what.status,
    body: bytesOf(problemBody(what)),
    contentType: CONTENT_TYPE.problem,
    cacheControl: problemHeaders(what.status)['cache-control'] ?? 'no-store',
    fetchedAtMs: nowMs,
    freshForMs: rememberMs,
    extra,
  });
}

/** Nothing of that name; remembered for a second. */
export function notFoundObject(nowMs: number): StoredObject {
  return problemObject({ status: 404, title: 'Not Found' }, nowMs, 1000);
}

/** Nobody can say now, and nothing is known from before; remembered for half a second. */
export function unavailableObject(nowMs: number): StoredObject {
  return problemObject({ status: 503, title: 'Service Unavailable' }, nowMs, 500, { 'retry-after': '1' });
}
