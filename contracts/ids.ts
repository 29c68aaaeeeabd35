/**
 * The names that all parts share (stream id, session id, epoch, rendition name) and their parsers.
 */
import { ContractError } from './contract_error.ts';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Public name of a channel, `[a-z0-9][a-z0-9_-]{0,63}`. Safe in a URL, a Redis key, an S3 key and a log line. */
export type StreamId = Branded<string, 'StreamId'>;
/** One broadcast of a stream: a ULID in Crockford base 32, upper case. */
export type SessionId = Branded<string, 'SessionId'>;
/** Fencing number of one FFmpeg run by one owner. A positive safe integer that only rises for a stream. */
export type Epoch = Branded<number, 'Epoch'>;
/** One rung of the ladder, such as `720p`. */
export type RenditionName = Branded<string, 'RenditionName'>;

const STREAM_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SESSION_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const RENDITION = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const EPOCH = /^[1-9][0-9]{0,15}$/;

/** Stream ids that would shadow a path of the edge. */
export const RESERVED_STREAM_IDS: ReadonlySet<string> = new Set([
  'watch',
  'embed',
  'studio',
  'api',
  'admin',
  'livez',
  'readyz',
  'metrics',
]);

/** What a person may see of a bad value: its type, and at most 40 characters of it with control characters escaped. */
export function describeValue(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : typeof value;
  const shown = JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return `the string ${shown}`;
}

export function isStreamId(value: unknown): value is StreamId {
  return typeof value === 'string' && STREAM_ID.test(value) && !RESERVED_STREAM_IDS.has(value);
}

/** @throws ContractError when `value` is not a stream id or is a reserved word. */
export function parseStreamId(value: unknown, path = 'streamId'): StreamId {
  if (isStreamId(value)) return value;
  if (typeof value === 'string' && RESERVED_STREAM_IDS.has(value)) {
    throw new ContractError(path, `"${value}" is a reserved word, wanted another stream id`);
  }
  throw new ContractError(path, `got ${describeValue(value)}, wanted a stream id ([a-z0-9][a-z0-9_-]{0,63})`);
}

export function isSessionId(value: unknown): value is SessionId {
  return typeof value === 'string' && SESSION_ID.test(value);
}

/** @throws ContractError when `value` is not an upper-case ULID. */
export function parseSessionId(value: unknown, path = 'sessionId'): SessionId {
  if (isSessionId(value)) return value;
  throw new ContractError(path, `got ${describeValue(value)}, wanted a session id (a ULID)`);
}

export function isRenditionName(value: unknown): value is RenditionName {
  return typeof value === 'string' && RENDITION.test(value);
}

/** @throws ContractError when `value` is not a rendition name. */
export function parseRenditionName(value: unknown, path = 'rendition'): RenditionName {
  if (isRenditionName(value)) return value;
  throw new ContractError(path, `got ${describeValue(value)}, wanted a rendition name ([a-z0-9][a-z0-9_-]{0,31})`);
}

export function isEpoch(value: unknown): value is Epoch {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** Takes the number itself or its decimal digits (as they stand in a path). @throws ContractError */
export function parseEpoch(value: unknown, path = 'epoch'): Epoch {
  const number = typeof value === 'string' && EPOCH.test(value) ? Number(value) : value;
  if (isEpoch(number)) return number;
  throw new ContractError(
    path,
    `got ${typeof value === 'number' ? String(value) : describeValue(value)}, wanted a positive whole number`,
  );
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** When a session began by its id, ms since 1970. */
export function sessionStartMs(sessionId: SessionId): number {
  let time = 0;
  for (const letter of sessionId.slice(0, 10)) time = time * 32 + CROCKFORD.indexOf(letter);
  return time;
}

/**
 * Makes a ULID (github.com/ulid/spec): 48 bits of Unix time in ms, then 80 random bits.
 * @param random ten random bytes
 */
export function makeSessionId(nowMs: number, random: Uint8Array): SessionId {
  if (random.length < 10) throw new ContractError('random', `got ${random.length} bytes, wanted 10`);
  let bits = BigInt(Math.floor(nowMs));
  for (let index = 0; index < 10; index += 1) bits = (bits << 8n) | BigInt(random[index] ?? 0);
  let text = '';
  for (let index = 0; index < 26; index += 1) {
    text = `${CROCKFORD[Number(bits & 31n)] ?? ''}${text}`;
    bits >>= 5n;
  }
  return text as SessionId;
}
