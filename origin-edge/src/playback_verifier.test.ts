import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWTPayload } from 'jose';
import { describe, expect, it } from 'vitest';
import { parseStreamId } from '../../contracts/ids.ts';
import { createPlaybackKeys } from './playback_keys.ts';
import { createPlaybackVerifier } from './playback_verifier.ts';
import { STREAM_ID } from './testing/scripted_edge.ts';

const SECRET = 'a-secret-of-thirty-two-bytes-or-more';
const OTHER = 'another-secret-of-thirty-two-bytes!!';
const NOW_S = 1_800_000_000;

interface Claims {
  readonly sub?: string;
  readonly exp?: number | undefined;
  readonly nbf?: number;
  readonly aud?: string;
}

async function token(claims: Claims = {}, key: CryptoKey | string = SECRET, alg = 'HS256', kid?: string) {
  return new SignJWT({ sub: STREAM_ID, exp: NOW_S + 60, ...claims } as JWTPayload)
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);
}

async function verifierWith(keys: string, audience?: string) {
  const clock = { nowMs: NOW_S * 1000 };
  const keyFor = await createPlaybackKeys(keys, undefined);
  return { clock, verify: createPlaybackVerifier({ keyFor, audience, wallMs: () => clock.nowMs }) };
}

describe('a token by secret', () => {
  it('opens its stream until it expires, and is remembered until then', async () => {
    const { clock, verify } = await verifierWith(`k1=${SECRET}`);
    const good = await token();
    expect(await verify(good, STREAM_ID)).toBe(true);
    expect(await verify(good, STREAM_ID)).toBe(true);
    clock.nowMs += 64_000;
    expect(await verify(good, STREAM_ID)).toBe(true);
    clock.nowMs += 2000;
    expect(await verify(good, STREAM_ID)).toBe(false);
  });

  it('opens no other stream, remembered or not', async () => {
    const { verify } = await verifierWith(`k1=${SECRET}`);
    const good = await token();
    await verify(good, STREAM_ID);
    expect(await verify(good, parseStreamId('other'))).toBe(false);
  });

  it('is refused when expired, too early, endless, of nobody, forged or nothing', async () => {
    const { verify } = await verifierWith(`k1=${SECRET}`);
    const forged = (await token()).replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'));
    const none = `${btoa('{"alg":"none"}').replaceAll('=', '')}.${(await token()).split('.')[1]}.`;
    for (const bad of [
      await token({ exp: NOW_S - 10 }),
      await token({ nbf: NOW_S + 60 }),
      await token({ exp: undefined }),
      await token({ sub: 'someone' }),
      await token({}, OTHER),
      forged,
      none,
      '',
      'a.b.c',
    ]) {
      expect(await verify(bad, STREAM_ID)).toBe(false);
    }
  });

  it('is chosen by its kid while keys rotate', async () => {
    const { verify } = await verifierWith(`old=${OTHER}, new=${SECRET}`);
    expect(await verify(await token({}, SECRET, 'HS256', 'new'), STREAM_ID)).toBe(true);
    expect(await verify(await token({}, OTHER, 'HS256', 'old'), STREAM_ID)).toBe(true);
    expect(await verify(await token({}, SECRET, 'HS256', 'old'), STREAM_ID)).toBe(false);
    expect(await verify(await token({}, SECRET, 'HS256', 'gone'), STREAM_ID)).toBe(false);
  });

  it('has the audience that is wanted', async () => {
    const { verify } = await verifierWith(`k1=${SECRET}`, 'viewers');
    expect(await verify(await token({ aud: 'viewers' }), STREAM_ID)).toBe(true);
    expect(await verify(await token({ aud: 'others' }), STREAM_ID)).toBe(false);
    expect(await verify(await token(), STREAM_ID)).toBe(false);
  });
});

describe.each(['RS256', 'ES256', 'EdDSA'])('a token by %s', (alg) => {
  it('opens its stream, and its public key is no secret', async () => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'pub' };
    const { verify } = await verifierWith(JSON.stringify({ keys: [jwk] }));
    expect(await verify(await token({}, privateKey, alg, 'pub'), STREAM_ID)).toBe(true);
    expect(await verify(await token({}, JSON.stringify(jwk), 'HS256', 'pub'), STREAM_ID)).toBe(false);
  });
});

describe('HW_PLAYBACK_KEYS', () => {
  it.each([
    ['short=abc', 'at least 32 bytes'],
    [SECRET, 'no kid'],
    ['{"keys":1}', 'no "keys"'],
    ['{', 'not JSON'],
    ['{"keys":[{"kty":"oct","alg":"HS512","k":"AAAA"}]}', 'for none of them'],
    ['{"keys":[{"kty":"RSA","n":"x"}]}', 'cannot be read'],
  ])('refuses %s without repeating a secret', async (keys, message) => {
    const error = await createPlaybackKeys(keys, undefined).then(
      () => new Error('was taken'),
      (reason: unknown) => reason as Error,
    );
    expect(error.message).toContain(message);
    expect(error.message).not.toContain(SECRET);
  });
});
