import { describe, expect, test } from 'vitest';
import { splitAggregate } from './aggregate_message.ts';
import { BitrateMeter } from './bitrate_meter.ts';
import { metadataBody } from './metadata_body.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const LIMITS = { amfDepth: 4, amfValues: 20 };

describe('aggregate message', () => {
  const two = hex('08 000002 000064 00 000000 aabb 0000000d 09 000001 000078 01 000000 cc 0000000c');

  test('is split, its timestamps moved to its own', () => {
    expect(
      splitAggregate(two, 1000).map(({ type, timestamp, body }) => [type, timestamp, body.toString('hex')]),
    ).toStrictEqual([
      [8, 1000, 'aabb'],
      [9, 1020 + 0x1000000, 'cc'],
    ]);
  });

  test('may lack the last back pointer', () => {
    expect(splitAggregate(two.subarray(0, -4), 0)).toHaveLength(2);
  });

  test('is refused when cut off or too finely divided', () => {
    expect(() => splitAggregate(two.subarray(0, 12), 0)).toThrow('truncated at byte 0');
    expect(() => splitAggregate(two.subarray(0, 20), 0)).toThrow('truncated at byte 17');
    expect(() => splitAggregate(Buffer.alloc(15 * 4097), 0)).toThrow('more than 4096 messages');
  });
});

describe('metadata body', () => {
  const onMetaData = '02 000a 6f6e4d65746144617461';

  test('loses @setDataFrame and what follows the value', () => {
    const body = metadataBody(hex(`02 000d 40736574446174614672616d65 ${onMetaData} 08 00000000 000009 ff`), LIMITS);
    expect(body).toStrictEqual(hex(`${onMetaData} 08 00000000 000009`));
  });

  test.each([
    ['', 'nothing'],
    [onMetaData, 'no value'],
    [`${onMetaData} 03 0001`, 'cut off'],
    ['02 0001 61 05', 'another message'],
  ])('%s (%s) is none', (text) => {
    expect(metadataBody(hex(text), LIMITS)).toBeUndefined();
  });
});

describe('bitrate meter', () => {
  test('averages over the window and says nothing before it is full', () => {
    const meter = new BitrateMeter(1000);
    expect(meter.sample(0, 0)).toBeUndefined();
    expect(meter.sample(900, 900_000)).toBeUndefined();
    expect(meter.sample(1000, 1_000_000)).toBe(8_000_000);
    expect(meter.sample(2000, 1_000_000)).toBe(0);
  });
});
