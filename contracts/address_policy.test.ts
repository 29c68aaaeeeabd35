/** The address policy over a corpus of forms, and against Node's own notion of an address. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classifyAddress, isPublicAddress } from './address_policy.ts';
import type { AddressClass } from './address_policy.ts';

const CORPUS: Readonly<Record<AddressClass, readonly string[]>> = {
  public: [
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '168.63.129.15',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '191.255.255.255',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2A00:1450:4001:80B::200E',
    '2001:200::1',
    '2003::1',
    '2620:4f:8000::1',
    '3ffe::1',
    '::ffff:8.8.8.8',
    '::ffff:808:808',
    '0:0:0:0:0:ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '::8.8.8.8',
  ],
  unspecified: ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::0', '0::', '::ffff:0.0.0.0', '::0.0.0.0'],
  loopback: [
    '127.0.0.1',
    '127.255.255.254',
    '127.1.2.3',
    '::1',
    '0:0:0:0:0:0:0:1',
    '0000:0000:0000:0000:0000:0000:0000:0001',
    '::0.0.0.1',
    '::ffff:127.0.0.1',
    '::FFFF:7f00:1',
    '::ffff:0:127.0.0.1',
    '::127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::7f00:1',
  ],
  private: [
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
    'fc00::',
    'fd00:ec2::254',
    'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    'fec0::1',
    '::ffff:10.0.0.1',
    '::ffff:c0a8:1',
    '64:ff9b::10.1.2.3',
    '::ffff:0:192.168.1.1',
  ],
  shared: ['100.64.0.0', '100.127.255.255', '100.100.100.200', '::ffff:100.64.0.1'],
  'link-local': [
    '169.254.0.0',
    '169.254.169.254',
    '169.254.170.2',
    '168.63.129.16',
    'fe80::1',
    'febf::1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '::169.254.169.254',
  ],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1', '::ffff:224.0.0.1'],
  documentation: ['192.0.2.1', '198.51.100.7', '203.0.113.255', '2001:db8::1', '3fff::1', '3fff:fff::1'],
  transition: [
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '2002:808:808::1',
    '2001::1',
    '2001:0:53aa:64c::1',
    '192.88.99.1',
    '64:ff9b:1::1',
    '64:ff9b:1:ffff::10.0.0.1',
  ],
  reserved: [
    '0.0.0.1',
    '0.255.255.255',
    '192.0.0.1',
    '192.0.0.170',
    '198.18.0.1',
    '198.19.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::ffff:255.255.255.255',
    '100::1',
    '2001:2::1',
    '2001:10::1',
    '2001:1ff::1',
    '4000::1',
    '5f00::1',
    'e000::1',
    '64:ff9b:2::1',
    '0:1::1',
    '::1:0:0:0:1',
  ],
  invalid: [
    '',
    ' ',
    'localhost',
    'example.com',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '127.0.0.1.',
    '127.0.0.1 ',
    ' 127.0.0.1',
    '127.0.0.1:80',
    '127.0.0.256',
    '1.2.3.4.5',
    '1.2.3',
    '1..2.3',
    '１２７.0.0.1',
    '127。0。0。1',
    '+1.2.3.4',
    '1.2.3.4/8',
    '[::1]',
    '::1%lo',
    'fe80::1%eth0',
    ':',
    ':::',
    '1::2::3',
    '::12345',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::g',
    ':1',
    '1:',
    '::ffff:127.0.0.1:80',
    '127.0.0.1::',
    '1.2.3.4::1',
    '::ffff:127.0.0.01',
    '::ffff:0x7f.0.0.1',
    '::ffff:127.1',
    `${'0:'.repeat(40)}1`,
  ],
};

for (const [kind, addresses] of Object.entries(CORPUS)) {
  test.each(addresses)(`%j is ${kind}`, (address) => {
    expect(classifyAddress(address)).toBe(kind);
    expect(isPublicAddress(address)).toBe(kind === 'public');
  });
}

test('reads every IPv6 address however it is written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const groups = Array.from(
        { length: 8 },
        (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0),
      );
      const long = groups.map((group) => group.toString(16).padStart(4, '0').toUpperCase()).join(':');
      const short = groups.map((group) => group.toString(16)).join(':');
      expect(classifyAddress(long)).not.toBe('invalid');
      expect(classifyAddress(short)).toBe(classifyAddress(long));
    }),
  );
});

test('a mapped address is what it maps', () => {
  fc.assert(
    fc.property(fc.ipV4(), (v4) => {
      const plain = classifyAddress(v4);
      expect(classifyAddress(`::ffff:${v4}`)).toBe(plain);
      expect(classifyAddress(`64:ff9b::${v4}`)).toBe(plain);
    }),
  );
});

test('takes every address that generators make', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(address, (text) => {
      expect(classifyAddress(text)).not.toBe('invalid');
    }),
  );
});
