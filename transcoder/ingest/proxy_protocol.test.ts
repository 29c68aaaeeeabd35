import { describe, expect, test } from 'vitest';
import { parseProxyHeader, plainAddress } from './proxy_protocol.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const parse = (text: string): unknown => parseProxyHeader(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('PROXY protocol version 2', () => {
  test('reads the source address of TCP over IPv4, with TLVs behind it', () => {
    expect(parse(`${SIGNATURE} 21 11 0010 c0000201 c0000202 1234 078f 04000100 ffff`)).toStrictEqual({
      length: 32,
      sourceAddress: '192.0.2.1',
    });
  });

  test('reads TCP over IPv6', () => {
    const source = '20010db8000000000000000000000001';
    expect(parse(`${SIGNATURE} 21 21 0024 ${source} ${source} 1234 078f`)).toStrictEqual({
      length: 52,
      sourceAddress: '2001:db8::1',
    });
  });

  test('LOCAL and unknown families have no source', () => {
    expect(parse(`${SIGNATURE} 20 00 0000`)).toStrictEqual({ length: 16, sourceAddress: undefined });
    expect(parse(`${SIGNATURE} 21 00 0000`)).toStrictEqual({ length: 16, sourceAddress: undefined });
  });

  test('waits for the rest', () => {
    const whole = `${SIGNATURE}21110010c0000201c00002021234078f04000100`;
    for (let digits = 0; digits < whole.length; digits += 2) expect(parse(whole.slice(0, digits))).toBeUndefined();
  });

  test.each([
    ['03', 'does not begin'],
    ['0d0a0d0a00ff', 'does not begin'],
    [`${SIGNATURE} 11 11 000c`, 'version and command 17'],
    [`${SIGNATURE} 21 11 ffff`, 'wanted 4112 at most'],
    [`${SIGNATURE} 21 11 0004 c0000201`, 'IPv4 addresses in 4 bytes'],
    [`${SIGNATURE} 21 21 000c c0000201c00002021234078f`, 'IPv6 addresses in 12 bytes'],
  ])('refuses %s', (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  test.each([
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['10.0.0.1', '10.0.0.1'],
  ])('writes %s as %s', (given, wanted) => {
    expect(plainAddress(given)).toBe(wanted);
  });
});
