import { describe, expect, it } from 'vitest';
import { ObjectCache } from './object_cache.ts';
import { StoredObject } from './stored_object.ts';

const object = (bytes: number, freshForMs = 1000): StoredObject =>
  new StoredObject({
    status: 200,
    body: new Uint8Array(bytes),
    contentType: 'video/mp4',
    cacheControl: 'no-store',
    fetchedAtMs: 0,
    freshForMs,
  });

describe('ObjectCache', () => {
  it('lets what nobody asked for go when bytes run out', () => {
    const cache = new ObjectCache(4 * (1024 + 1000));
    for (const key of ['a', 'b', 'c', 'd']) cache.set(key, object(1000));
    cache.get('a', 0);
    cache.set('e', object(1000));
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => cache.get(key, 0) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
    expect(cache.bytes).toBe(4 * (1024 + 1000));
  });

  it('forgets what is no longer fresh, and counts its bytes once', () => {
    const cache = new ObjectCache(100_000);
    cache.set('a', object(1000));
    cache.set('a', object(2000));
    expect(cache.bytes).toBe(3024);
    expect(cache.get('a', 999)).toBeDefined();
    expect(cache.get('a', 1000)).toBeUndefined();
    expect([cache.bytes, cache.size]).toEqual([0, 0]);
  });

  it('does not empty itself for one object that hardly fits', () => {
    const cache = new ObjectCache(10_000);
    cache.set('a', object(100));
    cache.set('b', object(9000));
    expect([cache.get('a', 0) !== undefined, cache.get('b', 0)]).toEqual([true, undefined]);
  });
});
