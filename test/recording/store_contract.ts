/**
 * What every recording store must do: run over a folder, and over S3.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../contracts/recording_store.ts';
import type { PutOptions, RecordingStore, StoredObjectInfo } from '../../contracts/recording_store.ts';

const TEXT: PutOptions = { contentType: 'text/plain', cacheControl: 'no-cache' };

function bytes(text: string): Uint8Array[] {
  return [Buffer.from(text)];
}

async function all(store: RecordingStore, prefix: string): Promise<StoredObjectInfo[]> {
  const found: StoredObjectInfo[] = [];
  for await (const info of store.list(prefix)) found.push(info);
  return found;
}

async function textAt(store: RecordingStore, key: string): Promise<string | undefined> {
  const object = await store.get(key);
  return object === undefined ? undefined : Buffer.from(object.body).toString();
}

/** @param open a store whose content is this test's alone, under `prefix` or in a folder */
export function describeStore(name: string, open: () => RecordingStore): void {
  describe(`a store ${name}`, () => {
    /** A part of the store that no other case looks at. */
    const place = () => `case-${randomBytes(6).toString('hex')}`;

    test('gives back what was put, byte for byte, in the order of its chunks', async () => {
      const store = open();
      const key = `${place()}/1/720p/7.m4s`;
      const chunks = [randomBytes(100_000), randomBytes(1), randomBytes(300_000)];
      const before = Date.now();
      expect(await store.put(key, chunks, TEXT)).toEqual({ outcome: 'stored' });
      const object = await store.get(key);
      expect(Buffer.from(object?.body ?? []).equals(Buffer.concat(chunks))).toBe(true);
      expect(object).toMatchObject({ key, size: 400_001 });
      expect(Math.abs((object?.modifiedAtMs ?? 0) - before)).toBeLessThan(60_000);
      expect(await store.head(key)).toMatchObject({ key, size: 400_001, etag: object?.etag });
    });

    test('knows nothing of what was not put', async () => {
      const store = open();
      const key = `${place()}/a.json`;
      expect(await store.get(key)).toBeUndefined();
      expect(await store.head(key)).toBeUndefined();
      expect(await all(store, key)).toEqual([]);
      await store.put(key, bytes('x'), TEXT);
      expect(await store.get(`${key}/below`)).toBeUndefined();
      expect(await store.get(key.slice(0, key.indexOf('/')))).toBeUndefined();
    });

    test('an empty object is an object', async () => {
      const store = open();
      const key = `${place()}/empty`;
      await store.put(key, [], TEXT);
      expect(await store.get(key)).toMatchObject({ size: 0 });
    });

    test('the newest put stands, with another ETag', async () => {
      const store = open();
      const key = `${place()}/tail.json`;
      await store.put(key, bytes('one'), TEXT);
      const first = await store.head(key);
      await store.put(key, bytes('two'), TEXT);
      expect(await textAt(store, key)).toBe('two');
      expect((await store.head(key))?.etag).not.toBe(first?.etag);
    });

    test('of two that put only if absent, one does', async () => {
      const store = open();
      const key = `${place()}/session.json`;
      const outcomes = await Promise.all(
        ['a', 'b', 'c', 'd'].map((text) => store.put(key, bytes(text), { ...TEXT, onlyIfAbsent: true })),
      );
      expect(outcomes.filter(({ outcome }) => outcome === 'stored')).toHaveLength(1);
      const stood = await textAt(store, key);
      expect(await store.put(key, bytes('late'), { ...TEXT, onlyIfAbsent: true })).toEqual({ outcome: 'exists' });
      expect(await textAt(store, key)).toBe(stood);
    });

    test('a put with an ETag replaces that object and no other', async () => {
      const store = open();
      const key = `${place()}/recording.json`;
      expect(await store.put(key, bytes('x'), { ...TEXT, ifMatch: '"none"' })).toEqual({ outcome: 'exists' });
      await store.put(key, bytes('one'), TEXT);
      const { etag } = (await store.head(key)) ?? { etag: '' };
      const outcomes = await Promise.all(
        ['a', 'b', 'c'].map((text) => store.put(key, bytes(text), { ...TEXT, ifMatch: etag })),
      );
      expect(outcomes.filter(({ outcome }) => outcome === 'stored')).toHaveLength(1);
      expect(await store.put(key, bytes('late'), { ...TEXT, ifMatch: etag })).toEqual({ outcome: 'exists' });
      expect(['a', 'b', 'c']).toContain(await textAt(store, key));
    });

    test('lists what begins with a prefix, in the order of keys', async () => {
      const store = open();
      const top = place();
      const keys = ['a/2', 'a/10', 'a-b/1', 'a', 'b/c/d', 'b/c.json', 'B/x', '_open/s/1'].map((key) => `${top}/${key}`);
      // A folder cannot have a file's name: no two keys of a recording are like that.
      const possible = keys.filter((key) => key !== `${top}/a`);
      for (const key of possible) await store.put(key, bytes(key), TEXT);
      const listed = await all(store, `${top}/`);
      expect(listed.map(({ key }) => key)).toEqual(possible.toSorted());
      for (const info of listed) expect(await store.head(info.key)).toMatchObject({ etag: info.etag, size: info.size });
      expect((await all(store, `${top}/a`)).map(({ key }) => key)).toEqual(
        possible.filter((key) => key.startsWith(`${top}/a`)).toSorted(),
      );
      expect((await all(store, `${top}/b/c`)).map(({ key }) => key)).toEqual([`${top}/b/c.json`, `${top}/b/c/d`]);
    });

    test('lists more than one page', { timeout: 120_000 }, async () => {
      const store = open();
      const top = place();
      const keys = Array.from({ length: 1050 }, (_, index) => `${top}/${String(index).padStart(5, '0')}`);
      for (let start = 0; start < keys.length; start += 50) {
        await Promise.all(keys.slice(start, start + 50).map((key) => store.put(key, bytes('x'), TEXT)));
      }
      expect((await all(store, `${top}/`)).map(({ key }) => key)).toEqual(keys);
      await store.delete(keys);
      expect(await all(store, `${top}/`)).toEqual([]);
    });

    test('deletes what it is told and nothing else', async () => {
      const store = open();
      const top = place();
      for (const word of ['x/1', 'x/2', 'x/20', 'xy']) await store.put(`${top}/${word}`, bytes(word), TEXT);
      await store.delete([`${top}/x/2`, `${top}/never-was`, `${top}/x/no/such`]);
      expect((await all(store, `${top}/`)).map(({ key }) => key)).toEqual([`${top}/x/1`, `${top}/x/20`, `${top}/xy`]);
      await store.delete([]);
      await store.delete([`${top}/x/1`, `${top}/x/20`, `${top}/xy`]);
      await store.put(`${top}/x`, bytes('a file where a folder was'), TEXT);
      expect(await textAt(store, `${top}/x`)).toBe('a file where a folder was');
    });

    test('refuses a body that does not have the digest that was given', async () => {
      const store = open();
      const key = `${place()}/1.m4s`;
      const sha256 = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'; // of "x"
      await store.put(key, bytes('x'), { ...TEXT, sha256 });
      await expect(store.put(key, bytes('y'), { ...TEXT, sha256 })).rejects.toBeInstanceOf(StoreError);
      expect(await textAt(store, key)).toBe('x');
    });

    test.each([
      '',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      'a/../b',
      '../a',
      'a/./b',
      '.hidden',
      'a/.hidden/b',
      'a\\b',
      'a\0b',
      'a b',
      'ä',
      'a?b',
      'a%2e%2e',
      'x'.repeat(1000),
    ])('refuses the key %j', async (key) => {
      const store = open();
      await expect(store.put(key, bytes('x'), TEXT)).rejects.toMatchObject({ code: 'refused' });
      await expect(store.get(key)).rejects.toMatchObject({ code: 'refused' });
      await expect(store.head(key)).rejects.toMatchObject({ code: 'refused' });
      await expect(store.delete([key])).rejects.toMatchObject({ code: 'refused' });
    });

    test.each(['/', '../', 'a/../', '.', 'a//', 'a\0'])('refuses the prefix %j', async (prefix) => {
      await expect(all(open(), prefix)).rejects.toMatchObject({ code: 'refused' });
    });

    test('says that it can be written', async () => {
      const store = open();
      expect(await store.check()).toBeUndefined();
    });
  });
}
