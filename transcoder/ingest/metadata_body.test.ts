import { describe, expect, test } from 'vitest';
import { metadataBody } from './metadata_body.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const LIMITS = { amfDepth: 4, amfValues: 20 };

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
