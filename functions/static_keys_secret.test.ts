import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthorizePublish } from './authorize_publish.ts';
import { createSecretKeys } from './static_keys_secret.ts';

const digest = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

function scriptedSecret(text: string | undefined) {
  const world = { text, nowMs: 0, reads: 0, away: false, errors: [] as string[] };
  const keys = createSecretKeys({
    read: async () => {
      world.reads += 1;
      if (world.away) throw new Error('secretsmanager.eu-west-1.amazonaws.com: no route');
      return Promise.resolve(world.text);
    },
    clock: { monotonicMs: () => world.nowMs },
    onError: (reason) => void world.errors.push(reason),
  });
  return { world, keys };
}

describe('stream keys from a secret', () => {
  it('are found by their digest, with one read for many questions', async () => {
    const { world, keys } = scriptedSecret(`news=${digest('n-1')},\nnews=${digest('n-2')}\nsport=${digest('s')}\n`);
    expect(await Promise.all(['n-1', 'n-2', 's', 'x', digest('s')].map((key) => keys.find(key)))).toEqual([
      'news',
      'news',
      'sport',
      undefined,
      undefined,
    ]);
    expect(world.reads).toBe(1);
  });

  it('are refused within a minute after they were taken out, known as soon after they were put in', async () => {
    const { world, keys } = scriptedSecret(`news=${digest('old')}`);
    expect(await keys.find('old')).toBe('news');
    world.text = `news=${digest('new')}`;
    world.nowMs = 60_000;
    expect(await keys.find('old')).toBeUndefined();
    expect(await keys.find('new')).toBe('news');
  });

  it('are none while the secret is empty', async () => {
    const { keys } = scriptedSecret(undefined);
    expect(await keys.find('any')).toBeUndefined();
  });

  it('are believed for less than a minute while the secret cannot be read, then nobody is let in', async () => {
    const { world, keys } = scriptedSecret(`news=${digest('n')}`);
    await keys.find('n');
    world.away = true;
    world.nowMs = 40_000;
    expect(await keys.find('n')).toBe('news');
    world.nowMs = 60_000;
    await expect(keys.find('n')).rejects.toThrow('no route');
    expect(world.errors).toEqual(['Error', 'Error']);
    const decide = createAuthorizePublish({ secretKeys: keys });
    expect(
      await decide({ streamKey: 'n', app: 'stream', query: {}, clientAddress: '203.0.113.7', transcoderId: 't' }),
    ).toEqual({ allowed: false, code: 'unavailable', reason: 'the decision failed (Error)' });
    world.away = false;
    expect(await keys.find('n')).toBe('news');
  });

  it('stand as digests or not at all, and errors show none of the text', async () => {
    const { world, keys } = scriptedSecret(`news=${digest('n')},sport=plain-secret`);
    await expect(keys.find('plain-secret')).rejects.toThrow(
      'HW_STREAM_KEYS_SECRET: entry 2: wanted sha256: and the 64 hex digits of the key\'s SHA-256 after "="',
    );
    expect(world.errors.join()).not.toContain('plain-secret');
  });
});
