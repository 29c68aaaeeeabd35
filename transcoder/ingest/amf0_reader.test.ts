import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Amf0Reader } from './amf0_reader.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

const LIMITS = { amfDepth: 4, amfValues: 20 };
const read = (text: string): unknown =>
  new Amf0Reader(Buffer.from(text.replaceAll(' ', ''), 'hex'), LIMITS).readValue();

/** What `action` throws; undefined when it does not. */
function thrownBy(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('AMF0 reader', () => {
  test.each<[string, unknown]>([
    ['00 4000000000000000', 2],
    ['01 01', true],
    ['02 0003 616263', 'abc'],
    [
      '03 0001 61 05 0001 62 01 00 0000 09',
      new Map<string, unknown>([
        ['a', null],
        ['b', false],
      ]),
    ],
    ['05', null],
    ['06', undefined],
    ['07 0000', undefined],
    ['08 00000001 0001 61 05 0000 09', new Map([['a', null]])],
    ['0a 00000002 05 01 01', [null, true]],
    ['0b 4000000000000000 0000', 2],
    ['0c 00000001 61', 'a'],
    ['10 0001 43 0000 09', new Map()],
  ])('reads %s', (text, value) => {
    expect(read(text)).toStrictEqual(value);
  });

  test.each([
    ['', '0 bytes left, wanted 1'],
    ['00 40', '1 bytes left, wanted 8'],
    ['02 0003 61', '1 bytes left, wanted 3'],
    ['03 0001 61 05', '0 bytes left, wanted 2'],
    ['03 0000 05', 'wanted the end of the object'],
    ['0a ffffffff 05', 'array of 4294967295 in 1 bytes'],
    ['0c ffffffff', '0 bytes left'],
    ['11 01', 'type 17 is not known'],
    [`0a 00000020 ${'05'.repeat(32)}`, 'more than 20 values'],
    ['03 0001 61'.repeat(6), 'nested deeper than 4'],
  ])('refuses %s', (text, problem) => {
    expect(() => read(text)).toThrow(problem);
  });

  test('a key __proto__ is a key like others', () => {
    expect(read('03 0009 5f5f70726f746f5f5f 05 0000 09')).toStrictEqual(new Map([['__proto__', null]]));
  });

  test('only ever throws protocol errors on noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const reader = new Amf0Reader(Buffer.from(noise), LIMITS);
        const thrown = thrownBy(() => {
          while (!reader.atEnd) reader.readValue();
        });
        expect(thrown === undefined || thrown instanceof RtmpProtocolError).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
