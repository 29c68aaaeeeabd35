import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPassedOn, writePassedOnHeader } from './passed_on_header.ts';
import { parseProxyHeader, plainAddress } from './proxy_protocol.ts';

describe('the header of a connection that is passed on', () => {
  test('is PROXY protocol, and tells address and TLS', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.boolean(), fc.string(), (any, secure, secret) => {
        const address = plainAddress(any);
        const header = writePassedOnHeader({ address, secure }, secret);
        expect(parseProxyHeader(Buffer.concat([header, Buffer.from([3])]))).toEqual({
          length: header.length,
          sourceAddress: address,
        });
        expect(readPassedOn(header, secret)).toEqual({ secure });
        expect(readPassedOn(header, `${secret}x`)).toBeUndefined();
      }),
    );
  });

  test('is worth nothing once a bit of it was changed', () => {
    const header = writePassedOnHeader({ address: '198.51.100.7', secure: false }, 'secret');
    for (let index = 0; index < header.length; index += 1) {
      const forged = Buffer.from(header);
      forged[index] = (forged[index] ?? 0) ^ 1;
      expect(readPassedOn(forged, 'secret')).toBeUndefined();
    }
  });

  test("is not what a load balancer's header is", () => {
    const plain = Buffer.from('0d0a0d0a000d0a515549540a2111000cc63364070a0000010d050787', 'hex');
    expect(parseProxyHeader(plain)?.sourceAddress).toBe('198.51.100.7');
    expect(readPassedOn(plain, '')).toBeUndefined();
  });
});
