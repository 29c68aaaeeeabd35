/**
 * The keys that playback tokens are checked by: secrets and public keys from a setting, public keys from a JWKS URL,
 * both while one is rotated into the other.
 */
import { createRemoteJWKSet, importJWK } from 'jose';
import type { CryptoKey, JWK, JWTVerifyGetKey } from 'jose';

interface NamedKey {
  readonly kid: string | undefined;
  readonly alg: string;
  /** Imported once: a secret in bytes would be imported anew for each token. */
  readonly key: CryptoKey;
}

/** What a token may be signed with (RFC 7518, RFC 8037); anything else is refused before a key is looked for. */
export const PLAYBACK_ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'];

const ALGORITHM_OF_TYPE: Readonly<Record<string, string>> = { oct: 'HS256', RSA: 'RS256', EC: 'ES256', OKP: 'EdDSA' };
/** RFC 7518 section 3.2: an HS256 secret is no shorter than the hash. */
const MIN_SECRET_BYTES = 32;

/**
 * @param keys `kid=secret,…` for HS256, or a JSON Web Key Set (RFC 7517) for any algorithm
 * @param jwksUrl asked when no key of the setting fits
 * @throws Error that says what is wrong with the setting, without its value
 */
export async function createPlaybackKeys(
  keys: string | undefined,
  jwksUrl: string | undefined,
): Promise<JWTVerifyGetKey> {
  const named = keys === undefined ? [] : await readKeys(keys);
  const remote = jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: 3000 });
  return async (header, token) => {
    const fitting = named.filter(({ alg }) => alg === header.alg);
    const found =
      header.kid === undefined && fitting.length === 1 ? fitting[0] : fitting.find(({ kid }) => kid === header.kid);
    if (found !== undefined) return found.key;
    if (remote === undefined || header.alg === 'HS256') throw new Error('no key fits the token');
    return remote(header, token);
  };
}

async function readKeys(text: string): Promise<readonly NamedKey[]> {
  if (text.trimStart().startsWith('{')) return Promise.all(readKeySet(text).map(importNamed));
  return Promise.all(text.split(',').map(importSecret));
}

async function importSecret(entry: string, index: number): Promise<NamedKey> {
  const equals = entry.indexOf('=');
  const secret = new TextEncoder().encode(entry.slice(equals + 1).trim());
  if (equals < 1) throw new Error(`kid=secret,… or a JSON Web Key Set, but entry ${index + 1} has no kid`);
  if (secret.byteLength < MIN_SECRET_BYTES) {
    throw new Error(`secrets of at least ${MIN_SECRET_BYTES} bytes, but entry ${index + 1} is shorter`);
  }
  return { kid: entry.slice(0, equals).trim(), alg: 'HS256', key: await hmacKey(secret) };
}

async function hmacKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function readKeySet(text: string): readonly JWK[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new Error('a JSON Web Key Set, but it is not JSON', { cause });
  }
  const { keys } = parsed as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('a JSON Web Key Set, but it has no "keys"');
  return keys as JWK[];
}

async function importNamed(jwk: JWK, index: number): Promise<NamedKey> {
  const alg = jwk.alg ?? ALGORITHM_OF_TYPE[jwk.kty ?? ''];
  if (alg === undefined || !PLAYBACK_ALGORITHMS.includes(alg)) {
    throw new Error(`keys for ${PLAYBACK_ALGORITHMS.join(', ')}, but key ${index + 1} is for none of them`);
  }
  try {
    const key = await importJWK(jwk, alg);
    return { kid: jwk.kid, alg, key: key instanceof Uint8Array ? await hmacKey(new Uint8Array(key)) : key };
  } catch (cause) {
    throw new Error(`a JSON Web Key Set, but key ${index + 1} cannot be read`, { cause });
  }
}
