import { describe, expect, test } from 'vitest';
import { splitAggregate } from './aggregate_message.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

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
