import { describe, expect, test } from 'vitest';
import { isStreamKey, parseConnectTarget, parsePublishTarget } from './publish_target.ts';

const APPS = ['stream', 'live'];

function parse(app: unknown, name: unknown, tcUrl?: unknown): unknown {
  return parsePublishTarget(parseConnectTarget(app, tcUrl, APPS), name);
}

describe('publish target', () => {
  test.each<[string, unknown, unknown, unknown, string, string, Record<string, string>]>([
    ['OBS and FFmpeg', 'stream', 'key', 'rtmp://h/stream', 'stream', 'key', {}],
    ['the other app', 'live', 'key', undefined, 'live', 'key', {}],
    ['a slash behind the app', 'stream/', 'key', undefined, 'stream', 'key', {}],
    ['a URL that ends in a slash, FFmpeg', 'stream/key', '', undefined, 'stream', 'key', {}],
    ['a key that ends in a slash', 'stream', 'key/', undefined, 'stream', 'key', {}],
    ['an application instance', 'live/_definst_', 'key', undefined, 'live', 'key', {}],
    [
      'a query behind the key',
      'stream',
      'key?relay=rtmp%3A%2F%2Fa%2Fb',
      undefined,
      'stream',
      'key',
      { relay: 'rtmp://a/b' },
    ],
    [
      'a bare URL in the query',
      'stream',
      'key?relay=rtmp://a/b/c',
      undefined,
      'stream',
      'key',
      { relay: 'rtmp://a/b/c' },
    ],
    ['a query in the app', 'stream?a=1', 'key?b=2', undefined, 'stream', 'key', { a: '1', b: '2' }],
    ['a query in tcUrl', 'stream', 'key', 'rtmp://h:1935/stream?a=1', 'stream', 'key', { a: '1' }],
    ['the name has the last word', 'stream?a=1', 'key?a=2', 'rtmp://h/stream?a=0', 'stream', 'key', { a: '2' }],
    ['app only in tcUrl', undefined, 'key', 'rtmp://h/stream', 'stream', 'key', {}],
    ['a media prefix', 'stream', 'flv:key', undefined, 'stream', 'key', {}],
  ])('%s', (_title, app, name, tcUrl, wantedApp, streamKey, query) => {
    expect(parse(app, name, tcUrl)).toStrictEqual({ app: wantedApp, streamKey, query });
  });

  test.each<[unknown, unknown]>([
    ['stream', undefined],
    ['stream', false],
    ['stream', 7],
    ['stream', new Map()],
    ['stream', ''],
    ['stream', '/'],
    ['stream', '..'],
    ['stream', '../key'],
    ['stream', 'a/b/c/d/e'],
    ['stream', 'ke y'],
    ['stream', 'key\n'],
    ['stream', 'k'.repeat(257)],
    ['stream', 'k'.repeat(5000)],
    ['stream', 'clé'],
    ['stream', 'key?__proto__=1'],
    ['stream', 'key?a=1&a=2'],
    ['stream', 'key?a=%00'],
    ['stream', 'key?a=%ff'],
    ['stream', `key?${'a'.repeat(65)}=1`],
    ['stream', `key?${Array.from({ length: 33 }, (_, n) => `a${n}=1`).join('&')}`],
    ['stream/../x', 'key'],
  ])('refuses app %j with name %j, and repeats neither', (app, name) => {
    expect(() => parse(app, name)).toThrow(
      expect.objectContaining({ name: 'PublishRefused', code: 'NetStream.Publish.BadName' }),
    );
    expect(() => parse(app, name)).not.toThrow(/key\n|ke y|__proto__|\.\./);
  });

  test.each([['admin'], ['streams'], [''], [undefined], [5], ['STREAM']])('refuses the app %j', (app) => {
    expect(() => parseConnectTarget(app, undefined, APPS)).toThrow('this server has the apps stream and live');
  });

  test('a key is ASCII without anything that means something elsewhere', () => {
    expect(['live_123-abC', 'FB-1~2=', 'a.b.c'].every((key) => isStreamKey(key))).toBe(true);
    expect(
      ['', '.', '..', 'a/b', 'a?b', 'a#b', 'a%b', 'a{b}', "a'b", 'a\\b', 'a,b'].some((key) => isStreamKey(key)),
    ).toBe(false);
  });
});
