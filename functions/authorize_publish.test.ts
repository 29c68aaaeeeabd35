/** Static keys and the choice between them and the webhook. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAuthorizePublish } from './authorize_publish.ts';
import { parseStaticKeys } from './static_keys.ts';

const request = (streamKey: string) => ({
  streamKey,
  app: 'stream',
  query: {},
  clientAddress: '192.0.2.1',
  transcoderId: 't1',
});

test('finds the stream of a key, plain or as a digest', async () => {
  const digest = createHash('sha256').update('third').digest('hex');
  const staticKeys = parseStaticKeys(`a=first, a=second,b=sha256:${digest},`);
  const authorize = createAuthorizePublish({ staticKeys });
  expect(await authorize(request('first'))).toEqual({ allowed: true, grant: { streamId: 'a' } });
  expect(await authorize(request('second'))).toEqual({ allowed: true, grant: { streamId: 'a' } });
  expect(await authorize(request('third'))).toEqual({ allowed: true, grant: { streamId: 'b' } });
  for (const wrong of ['', 'a', 'First', 'first ', digest, `sha256:${digest}`, 'a=first']) {
    expect(await authorize(request(wrong))).toEqual({
      allowed: false,
      code: 'denied',
      reason: 'the stream key is not known',
    });
  }
});

test('a key may hold "="', () => {
  expect(parseStaticKeys('a=b=c').find('b=c')).toBe('a');
});

test.each([
  'hunter2',
  '=hunter2',
  'a=',
  'a=hun ter2',
  'a=hunter2/x',
  'a=hunter2?x',
  `a=${'hunter2'.repeat(40)}`,
  'hunter2/=a',
  'HUNTER2=a',
  'watch=hunter2',
  'a=hunter2,b=hunter2',
  'a=sha256:hunter2',
])('the setting %j is refused in one line without the key', (text) => {
  let message = '';
  try {
    parseStaticKeys(text);
  } catch (error) {
    message = String(error);
  }
  expect(message).toMatch(/HW_STREAM_KEYS/);
  expect(message).not.toMatch(/hunter2|\n/i);
});

test('every key that is set is found, and no other', () => {
  const key = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  fc.assert(
    fc.property(fc.uniqueArray(key, { minLength: 1, maxLength: 8 }), key, (keys, other) => {
      const parsed = parseStaticKeys(keys.map((each, index) => `s${index}=${each}`).join(','));
      for (const [index, each] of keys.entries()) expect(parsed.find(each)).toBe(`s${index}`);
      expect(parsed.find(other) === undefined).toBe(!keys.includes(other));
    }),
    { numRuns: 50 },
  );
});

test('the webhook decides alone when there is one', async () => {
  const denied = { allowed: false, code: 'denied', reason: 'no' } as const;
  const authorize = createAuthorizePublish({
    staticKeys: parseStaticKeys('a=first'),
    webhook: () => Promise.resolve(denied),
  });
  expect(await authorize(request('first'))).toEqual(denied);
});

test('fails closed: nothing configured, a decision that throws, one that never comes', async () => {
  expect(await createAuthorizePublish({})(request('x'))).toMatchObject({ allowed: false, code: 'denied' });
  const broken = createAuthorizePublish({ webhook: () => Promise.reject(new Error('secret')) });
  expect(await broken(request('x'))).toEqual({
    allowed: false,
    code: 'unavailable',
    reason: 'the decision failed (Error)',
  });
  const hanging = createAuthorizePublish({ webhook: () => new Promise(() => undefined), limitMs: 20 });
  expect(await hanging(request('x'))).toMatchObject({ allowed: false, code: 'unavailable' });
});
