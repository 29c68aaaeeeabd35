import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRelayUrl } from './relay_endpoint.ts';
import type { RelayEndpoint } from './relay_endpoint.ts';
import { RelayRefused } from './relay_error.ts';

/** Undefined when it is refused. */
function parsed(text: string): RelayEndpoint | undefined {
  try {
    return parseRelayUrl(text);
  } catch (error) {
    if (error instanceof RelayRefused) return undefined;
    throw error;
  }
}

describe('the URL of a relay target', () => {
  test.each([
    ['rtmp://a.example/live/key', 'a.example', 1935, 'live', 'key', 'rtmp://a.example:1935/live'],
    ['rtmps://a.example/live/key', 'a.example', 443, 'live', 'key', 'rtmps://a.example:443/live'],
    ['rtmp://a.example:1936/app/inst/key', 'a.example', 1936, 'app/inst', 'key', 'rtmp://a.example:1936/app/inst'],
    ['rtmps://h.example/rtmp/FB-1?s_bl=1&a=Ab%2Bc', 'h.example', 443, 'rtmp', 'FB-1?s_bl=1&a=Ab%2Bc', undefined],
    ['rtmp://203.0.113.7/live/key', '203.0.113.7', 1935, 'live', 'key', 'rtmp://203.0.113.7:1935/live'],
    ['rtmp://[2001:db8::1]:1935/live/key', '2001:db8::1', 1935, 'live', 'key', 'rtmp://[2001:db8::1]:1935/live'],
    ['rtmp://a.example//live//key/', 'a.example', 1935, 'live', 'key', undefined],
  ])('%s', (url, host, port, app, name, tcUrl) => {
    const endpoint = parseRelayUrl(url);
    expect(endpoint).toMatchObject({ host, port, app, ...(tcUrl === undefined ? {} : { tcUrl }) });
    expect(endpoint.playName()).toBe(name);
  });

  test.each([
    // Files, pipes, other protocols.
    '/etc/passwd',
    'file:///tmp/out.flv',
    'pipe:1',
    '-',
    'http://a.example/live/key',
    'rtmpt://a.example/live/key',
    'srt://a.example:9000',
    'unix:/tmp/socket',
    'tee:rtmp://a.example/live/key',
    'RTMP://a.example/live/key',
    'rtmp:a.example/live/key',
    'rtmp:/a.example/live/key',
    'rtmp:///live/key',
    // Options.
    '-f flv rtmp://a.example/live/key',
    'rtmp://a.example/live/key live=1 swfUrl=x',
    'rtmp://a.example/live/key%20live=1',
    'rtmp://a.example/live/-f',
    'rtmp://a.example/-i/key',
    'rtmp://-a.example/live/key',
    '[f=flv]rtmp://a.example/live/key',
    // Two URLs.
    'rtmp://a.example/live/key rtmp://b.example/live/key',
    'rtmp://a.example/live/key|rtmp://b.example/live/key',
    'rtmp://a.example/live/key,rtmp://b.example/live/key',
    'rtmp://a.example/live/key;rtmp://b.example/live/key',
    'rtmp://a.example/live/rtmp://b.example/live/key',
    'rtmp://a.example/live/key?x=rtmp://b.example/live/key',
    'rtmp://a.example/live/key?x=rtmp%3A%2F%2Fb.example/live/key',
    // Control characters.
    'rtmp://a.example/live/key\n',
    'rtmp://a.example/live/k\u0000ey',
    'rtmp://a.example/live/k\u202eey',
    'rtmp://a.example/live/key?x=%0d%0a',
    'rtmp://a.example/live/key?x=%00',
    'rtmp://a.example/live/key?x=%ff',
    'rtmp://a.example/live/key?x=%zz',
    // Users, odd hosts and ports.
    'rtmp://user:password@a.example/live/key',
    'rtmp://user@a.example/live/key',
    'rtmp://127.1/live/key',
    'rtmp://0x7f.1/live/key',
    'rtmp://2130706433/live/key',
    'rtmp://0177.0.0.1/live/key',
    'rtmp://[fe80::1%25eth0]/live/key',
    'rtmp://[127.0.0.1]/live/key',
    'rtmp://a_.example:0/live/key',
    'rtmp://a.example:65536/live/key',
    'rtmp://a.example:1935:1/live/key',
    'rtmp://a..example/live/key',
    // Paths.
    'rtmp://a.example',
    'rtmp://a.example/',
    'rtmp://a.example/live',
    'rtmp://a.example/live/..',
    'rtmp://a.example/../live/key',
    'rtmp://a.example/live/key#fragment',
    'rtmp://a.example/live\\key',
    `rtmp://a.example/live/${'k'.repeat(2048)}`,
    '',
  ])('refuses %j and does not repeat it', (url) => {
    expect(() => parseRelayUrl(url)).toThrow(RelayRefused);
    expect(() => parseRelayUrl(url)).not.toThrow(/a\.example|user:|live\/key/);
  });

  test('any text is an endpoint or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `rtmp://${text}`),
        ),
        (text) => {
          const endpoint = parsed(text);
          expect(endpoint === undefined || (endpoint.host !== '' && endpoint.port > 0)).toBe(true);
          expect(endpoint?.app ?? '').not.toContain('..');
        },
      ),
    );
  });

  test('what it is printed as holds no key', () => {
    const endpoint = parseRelayUrl('rtmp://a.example/live/secret-key?a=secret-value');
    expect(`${JSON.stringify(endpoint)} ${inspect(endpoint, { depth: 9, showHidden: true })}`).not.toContain('secret');
  });

  test('endpoints are the same when all of the URL is', () => {
    const url = 'rtmp://a.example/live/key';
    expect(parseRelayUrl(url).equals(parseRelayUrl(`${url}/`))).toBe(true);
    expect(parseRelayUrl(url).equals(parseRelayUrl(`${url}?a=1`))).toBe(false);
    expect(parseRelayUrl(url).equals(parseRelayUrl('rtmps://a.example:1935/live/key'))).toBe(false);
  });
});
