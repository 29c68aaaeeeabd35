import { describe, expect, it } from 'vitest';
import { DEFAULT_UPSTREAM_ALLOW, parseUpstreamAllow } from './upstream_allow.ts';

describe('parseUpstreamAllow', () => {
  it.each([
    ['http://10.0.3.7:8000', true],
    ['http://127.0.0.1:1', true],
    ['http://localhost:8000', true],
    ['http://[::1]:8000', true],
    ['http://[fd12::7]:8000', true],
    ['http://[::ffff:10.0.0.1]:8000', true],
    ['https://172.31.255.255', true],
    ['http://172.32.0.1', false],
    ['http://169.254.169.254', false],
    ['http://[fe80::1]', false],
    ['http://[::ffff:169.254.169.254]', false],
    ['http://8.8.8.8', false],
    ['http://example.com', false],
    ['http://user:password@10.0.0.1', false],
    ['ftp://10.0.0.1', false],
    ['http://0x0a000001', true],
    ['http://2852039166', false],
    ['http://10.0.0.1.example.com', false],
    ['nonsense', false],
  ])('by default %s: %s', (url, wanted) => {
    expect(parseUpstreamAllow(DEFAULT_UPSTREAM_ALLOW)(url)).toBe(wanted);
  });

  it('takes host suffixes at the border of a label', () => {
    const mayFollow = parseUpstreamAllow('media.example.com, .internal , 203.0.113.9');
    expect(mayFollow('https://media.example.com')).toBe(true);
    expect(mayFollow('https://a.media.example.com')).toBe(true);
    expect(mayFollow('https://evilmedia.example.com')).toBe(false);
    expect(mayFollow('https://media.example.com.evil.net')).toBe(false);
    expect(mayFollow('http://node7.internal:8000')).toBe(true);
    expect(mayFollow('http://203.0.113.9')).toBe(true);
    expect(mayFollow('http://10.0.0.1')).toBe(false);
  });

  it.each(['10.0.0.0/33', '10.0.0.256', 'a b', 'http://x', '::1/129', '1.2.3'])('refuses the entry %s', (list) => {
    expect(() => parseUpstreamAllow(list)).toThrow('CIDR blocks or host suffixes');
  });
});
