/**
 * Recordings in a bucket: S3 or what speaks its protocol. Region and credentials come from the environment, as the AWS
 * client reads it. What is uploaded is checked by the server against its SHA-256.
 */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { StoreError } from '../contracts/recording_store.ts';
import type { PutOptions, RecordingStore, StoredObjectInfo } from '../contracts/recording_store.ts';
import type { StoreKey } from '../contracts/recording.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import { asStoreError, explainS3Error } from './s3_error.ts';
import { checkKey, checkPrefix } from './store_key.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Empty, or words that end with a slash. */
  readonly prefix: string;
  /** Of an S3 that is not Amazon's; the bucket is then part of the path. */
  readonly endpoint?: string | undefined;
  /** Requests under way at once; absent: 16. */
  readonly maxInFlight?: number;
  /** A call with its repetitions takes no longer, ms; absent: 30,000. */
  readonly callMs?: number;
  /** One attempt waits this long for the server to answer, ms; absent: 10,000. */
  readonly attemptMs?: number;
  /** Given by tests; absent: made from the environment. */
  readonly client?: S3Client;
}

const CONNECT_MS = 3000;
/** S3 deletes so many keys with one request. */
const KEYS_PER_DELETE = 1000;
const CHECK_KEY = '_check';
/** Attempts of a conditional put that lost a race which had not been decided yet (409). */
const CONFLICT_ATTEMPTS = 5;

class S3Store implements RecordingStore {
  readonly #options: S3StoreOptions;
  readonly #client: S3Client;
  readonly #gate: Gate;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.#client = options.client ?? makeClient(options);
    this.#gate = createGate(options.maxInFlight ?? 16);
  }

  async put(
    key: StoreKey,
    body: readonly Uint8Array[],
    options: PutOptions,
  ): Promise<{ outcome: 'stored' | 'exists' }> {
    checkKey(key);
    const bytes = body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body);
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const command = new PutObjectCommand({
      ...this.#at(key),
      Body: bytes,
      ContentLength: bytes.byteLength,
      ContentType: options.contentType,
      CacheControl: options.cacheControl,
      // Kept with the object by servers that know the header.
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...(options.onlyIfAbsent === true ? { IfNoneMatch: '*' } : {}),
      // Without its quotes: Amazon takes both forms, Ceph this one alone.
      ...(options.ifMatch === undefined ? {} : { IfMatch: options.ifMatch.replaceAll('"', '') }),
      ...(options.keepDays === undefined ? {} : { Tagging: `headwater-keep-days=${options.keepDays}` }),
    });
    signPayload(command, sha256);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#call(key, (abortSignal) => this.#client.send(command, { abortSignal }));
        return { outcome: 'stored' };
      } catch (error) {
        const failure = failureOf(error);
        const isConditional = options.onlyIfAbsent === true || options.ifMatch !== undefined;
        // IfMatch on an object that is gone: 404.
        if (failure === 412 || (failure === 404 && options.ifMatch !== undefined && !isNoBucket(error))) {
          return { outcome: 'exists' };
        }
        if (failure !== 409 || !isConditional || attempt === CONFLICT_ATTEMPTS) throw error;
        await pause(50 * attempt);
      }
    }
  }

  async get(key: StoreKey): Promise<(StoredObjectInfo & { readonly body: Uint8Array }) | undefined> {
    checkKey(key);
    return this.#unlessMissing(key, async (abortSignal) => {
      const reply = await this.#client.send(new GetObjectCommand(this.#at(key)), { abortSignal });
      const body = (await reply.Body?.transformToByteArray()) ?? new Uint8Array();
      if (reply.ContentLength !== undefined && reply.ContentLength !== body.byteLength) {
        throw new StoreError('again', `${key}: got ${body.byteLength} bytes of ${reply.ContentLength}`);
      }
      return { ...infoOf(key, body.byteLength, reply.ETag, reply.LastModified), body };
    });
  }

  async head(key: StoreKey): Promise<StoredObjectInfo | undefined> {
    checkKey(key);
    return this.#unlessMissing(key, async (abortSignal) => {
      const reply = await this.#client.send(new HeadObjectCommand(this.#at(key)), { abortSignal });
      return infoOf(key, reply.ContentLength ?? 0, reply.ETag, reply.LastModified);
    });
  }

  async *list(prefix: StoreKey): AsyncIterable<StoredObjectInfo> {
    checkPrefix(prefix);
    const { bucket, prefix: ours } = this.#options;
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: `${ours}${prefix}`,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#call(prefix, (abortSignal) => this.#client.send(command, { abortSignal }));
      for (const object of page.Contents ?? []) {
        if (object.Key?.startsWith(ours) !== true) continue;
        yield infoOf(object.Key.slice(ours.length), object.Size ?? 0, object.ETag, object.LastModified);
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly StoreKey[]): Promise<void> {
    for (const key of keys) checkKey(key);
    const { bucket, prefix } = this.#options;
    for (let start = 0; start < keys.length; start += KEYS_PER_DELETE) {
      const some = keys.slice(start, start + KEYS_PER_DELETE);
      const command = new DeleteObjectsCommand({
        Bucket: bucket,
        Delete: { Quiet: true, Objects: some.map((key) => ({ Key: `${prefix}${key}` })) },
      });
      const reply = await this.#call(some[0] ?? '', (abortSignal) => this.#client.send(command, { abortSignal }));
      const failed = reply.Errors?.find(({ Code: code }) => code !== 'NoSuchKey');
      if (failed !== undefined) {
        const code = failed.Code === 'AccessDenied' ? 'refused' : 'again';
        throw new StoreError(code, `${failed.Key ?? 'a key'} was not deleted (${failed.Code ?? 'no reason given'})`);
      }
    }
  }

  async check(): Promise<string | undefined> {
    const text = { contentType: 'text/plain', cacheControl: 'no-store' };
    try {
      await this.put(CHECK_KEY, [Buffer.from('ok')], text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return explainS3Error(error.cause, this.#options.bucket);
    }
    try {
      await this.delete([CHECK_KEY]);
    } catch (error) {
      // A writer need not have the right to delete: then the two bytes stay.
      if (!(error instanceof StoreError) || error.code !== 'refused') throw error;
    }
    return undefined;
  }

  close(): void {
    this.#client.destroy();
  }

  #at(key: StoreKey): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: `${this.#options.prefix}${key}` };
  }

  async #unlessMissing<Value>(key: StoreKey, action: (signal: AbortSignal) => Promise<Value>) {
    try {
      return await this.#call(key, action);
    } catch (error) {
      if (failureOf(error) === 404 && !isNoBucket(error)) return undefined;
      throw error;
    }
  }

  /** @throws StoreError */
  #call<Value>(key: StoreKey, action: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
    return this.#gate(async () => {
      try {
        return await action(AbortSignal.timeout(this.#options.callMs ?? 30_000));
      } catch (error) {
        throw asStoreError(key, error);
      }
    });
  }
}

export function createS3Store(options: S3StoreOptions): RecordingStore {
  return new S3Store(options);
}

function makeClient({ endpoint, attemptMs = 10_000, maxInFlight = 16 }: S3StoreOptions): S3Client {
  return new S3Client({
    // The whole body is hashed here already; the client's own CRC would be a second one, which older servers refuse.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: attemptMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: maxInFlight },
      httpsAgent: { keepAlive: true, maxSockets: maxInFlight },
    },
  });
}

/**
 * Signs the digest that is known: every server holds the body that it gets against it (`XAmzContentSHA256Mismatch`), and
 * the client need not hash the body again.
 */
function signPayload(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request: { headers: Record<string, string> } };
      request.headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'headwaterPayloadDigest', override: true },
  );
}

/** The server's HTTP status behind a StoreError. */
function failureOf(error: unknown): number | undefined {
  const cause = error instanceof StoreError ? error.cause : undefined;
  return cause instanceof S3ServiceException ? cause.$metadata.httpStatusCode : undefined;
}

function isNoBucket(error: unknown): boolean {
  return error instanceof StoreError && error.cause instanceof Error && error.cause.name === 'NoSuchBucket';
}

function infoOf(key: StoreKey, size: number, etag: string | undefined, modified: Date | undefined): StoredObjectInfo {
  return { key, size, etag: etag ?? '', modifiedAtMs: modified?.getTime() ?? 0 };
}
