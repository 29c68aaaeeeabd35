/**
 * Stream keys from the setting `HW_STREAM_KEYS`, or from the secret that HW_STREAM_KEYS_SECRET names, kept and compared as SHA-256 digests.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isStreamId } from '../contracts/ids.ts';
import type { StreamId } from '../contracts/ids.ts';

export interface StaticKeys {
  /** The stream that the key publishes. Takes as long for a wrong key as for a right one. */
  find(streamKey: string): StreamId | undefined;
  readonly size: number;
}

/** One line that names the entry by its number; entries may have key and id swapped, so neither is shown. */
export class StaticKeysError extends Error {
  override readonly name = 'StaticKeysError';
}

/** What can stand as one path part of an RTMP URL, unescaped. */
const STREAM_KEY = /^[A-Za-z0-9._~!$'()*+;:@%=-]{1,256}$/;
const DIGEST = /^sha256:([0-9a-fA-F]{64})$/;

function digestOf(streamKey: string): Buffer {
  return createHash('sha256').update(streamKey, 'utf8').digest();
}

export interface StaticKeysFormat {
  /** What errors call the text; default `HW_STREAM_KEYS`. */
  readonly name?: string;
  /** Refuses keys that do not stand as their digest. */
  readonly digestsOnly?: boolean;
}

/**
 * Reads `streamId=streamKey`, separated by commas or line ends; a key may stand as its digest,
 * `streamId=sha256:<64 hex digits>`. A stream may have several keys, so that one can be replaced without a gap; a key
 * has one stream.
 * @throws StaticKeysError
 */
export function parseStaticKeys(
  text: string,
  { name = 'HW_STREAM_KEYS', digestsOnly }: StaticKeysFormat = {},
): StaticKeys {
  const keys = new Map<string, { readonly digest: Buffer; readonly streamId: StreamId }>();
  for (const [index, part] of text.split(/[,\n]/).entries()) {
    const entry = part.trim();
    if (entry === '') continue;
    const where = `${name}: entry ${index + 1}`;
    const equals = entry.indexOf('=');
    if (equals < 0) throw new StaticKeysError(`${where} has no "=", wanted streamId=streamKey`);
    const streamId = entry.slice(0, equals);
    const streamKey = entry.slice(equals + 1);
    if (!isStreamId(streamId)) {
      throw new StaticKeysError(`${where}: wanted a stream id ([a-z0-9][a-z0-9_-]{0,63}, no reserved word) before "="`);
    }
    const hex = DIGEST.exec(streamKey)?.[1];
    if (hex === undefined && digestsOnly === true) {
      throw new StaticKeysError(`${where}: wanted sha256: and the 64 hex digits of the key's SHA-256 after "="`);
    }
    if (hex === undefined && (streamKey.startsWith('sha256:') || !STREAM_KEY.test(streamKey))) {
      throw new StaticKeysError(
        `${where}: wanted a stream key of 1 to 256 characters that can stand in a URL's path, or sha256: and 64 hex digits`,
      );
    }
    const digest = hex === undefined ? digestOf(streamKey) : Buffer.from(hex, 'hex');
    if (keys.has(digest.toString('hex'))) throw new StaticKeysError(`${where} repeats the key of an earlier entry`);
    keys.set(digest.toString('hex'), { digest, streamId });
  }
  const entries = [...keys.values()];
  return {
    size: entries.length,
    find: (streamKey) => {
      const wanted = digestOf(streamKey);
      let found: StreamId | undefined;
      for (const { digest, streamId } of entries) if (timingSafeEqual(digest, wanted)) found = streamId;
      return found;
    },
  };
}
