/**
 * The CloudFront function of examples/ lets through what the edge's own check lets through, and nothing else.
 */
import crypto from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseStreamId } from '../../contracts/ids.ts';
import { createPlaybackKeys } from '../../origin-edge/src/playback_keys.ts';
import { createPlaybackVerifier } from '../../origin-edge/src/playback_verifier.ts';

const SECRET = 'a-playback-secret-of-the-function-tests';
const DEMO = parseStreamId('demo');

interface Result {
  readonly statusCode?: number;
  readonly uri?: string;
}
type Handler = (event: { readonly request: object }) => Promise<Result>;

/** The function's text with what CloudFront gives it: the two modules that it imports. */
async function loadFunction(): Promise<Handler> {
  const text = await readFile(new URL('../../examples/cloudfront-function.js', import.meta.url), 'utf8');
  const cf = {
    kvs: () => ({
      get: async (key: string) => (key === 'test' ? Promise.resolve(SECRET) : Promise.reject(new Error('no such key'))),
    }),
  };
  const body = text.replaceAll(/^import .*$/gm, '');
  return runInNewContext(`${body}\nhandler;`, { cf, crypto, Buffer }) as Handler;
}

const sign = async (
  claims: Readonly<Record<string, unknown>>,
  expiresIn = '1m',
  kid = 'test',
  secret = SECRET,
): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid })
    .setExpirationTime(expiresIn)
    .sign(new TextEncoder().encode(secret));

describe('the CloudFront function', () => {
  let handler: Handler;
  const ask = async (token: string | undefined, method = 'GET'): Promise<number> => {
    const querystring = token === undefined ? {} : { token: { value: token } };
    const result = await handler({ request: { method, uri: '/demo/720p/index.m3u8', querystring } });
    return result.statusCode ?? 200;
  };

  beforeAll(async () => {
    handler = await loadFunction();
  });

  it('wants a token', async () => {
    expect(await ask(undefined)).toBe(401);
    expect(await ask(undefined, 'OPTIONS')).toBe(200);
  });

  it('agrees with the edge on each token', async () => {
    const keyFor = await createPlaybackKeys(`test=${SECRET}`, undefined);
    const verify = createPlaybackVerifier({ keyFor, wallMs: () => Date.now() });
    const none = `${Buffer.from('{"alg":"none","kid":"test"}').toString('base64url')}.${Buffer.from(
      `{"sub":"demo","exp":${Math.floor(Date.now() / 1000) + 60}}`,
    ).toString('base64url')}.`;
    const good = await sign({ sub: 'demo' });
    for (const [token, isGood] of [
      [good, true],
      [await sign({ sub: 'demo', nbf: Math.floor(Date.now() / 1000) + 60 }), false],
      [await sign({ sub: 'other' }), false],
      [await sign({}), false],
      [await sign({ sub: 'demo' }, '-1m'), false],
      [await sign({ sub: 'demo' }, '1m', 'test', `${SECRET}x`), false],
      [await sign({ sub: 'demo' }, '1m', 'unknown'), false],
      [`${good}x`, false],
      [good.slice(0, -1), false],
      [none, false],
      ['', false],
      ['a.b.c', false],
    ] as const) {
      expect([token, await verify(token, DEMO)]).toEqual([token, isGood]);
      expect([token, await ask(token)]).toEqual([token, isGood ? 200 : 403]);
    }
  });
});
