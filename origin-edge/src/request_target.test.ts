import { describe, expect, it } from 'vitest';
import { isPlainTarget, originFormOf, readTarget } from './request_target.ts';

describe('readTarget', () => {
  it.each([
    ['http://h/a/b?c=d', '/a/b', 'c=d'],
    ['http://h', '/', ''],
    ['https://h:1/a#b?c', '/a', ''],
    ['http://h/a??b', '/a', '?b'],
    ['http://h/%2e%2e/a', '/%2e%2e/a', ''],
  ])('%s', (url, path, query) => {
    expect(readTarget(originFormOf(url))).toEqual({ path, query });
  });
});

describe('isPlainTarget', () => {
  it.each(['/', '/demo/live.m3u8', '/demo/live.m3u8?a=../b', '/watch/', 'http://h/demo/live.m3u8', '/a/1.2.m4s'])(
    'takes %s',
    (target) => {
      expect(isPlainTarget(target)).toBe(true);
    },
  );

  it.each([
    '//',
    '//demo/live.m3u8',
    '/demo//live.m3u8',
    '/./demo',
    '/demo/..',
    '/demo/../x',
    '/.hidden',
    '/%2e%2e/x',
    '/demo%2flive.m3u8',
    '/demo\\live.m3u8',
    '/demo/\u0000',
    '/démo',
    'demo',
    '*',
    'ftp://h/x',
    `/${'a'.repeat(5000)}`,
  ])('refuses %s', (target) => {
    expect(isPlainTarget(target)).toBe(false);
  });
});
