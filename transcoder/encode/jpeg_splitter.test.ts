import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JpegSplitter } from './jpeg_splitter.ts';

function split(chunks: readonly Uint8Array[]): string[] {
  const pictures: string[] = [];
  const splitter = new JpegSplitter((picture) => pictures.push(picture.toString('hex')));
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  return pictures;
}

describe('JpegSplitter', () => {
  it('gives the same pictures however the stream is cut', () => {
    const pictures = ['ffd8ffe00102ff00ffd9', 'ffd801ffd0ffffd9', 'ffd8ffd9'];
    const stream = Buffer.from(pictures.join(''), 'hex');
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(stream.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const chunks = at.slice(1).map((end, index) => stream.subarray(at[index], end));
        expect(split(chunks)).toEqual(pictures);
      }),
    );
  });

  it('drops what is not a picture', () => {
    expect(split([Buffer.from('0102ffd9ffd805ffd9', 'hex')])).toEqual(['ffd805ffd9']);
  });

  it('does not keep a picture without an end', () => {
    const chunks = Array.from({ length: 5 }, () => Buffer.alloc(1024 * 1024));
    expect(split([Buffer.from('ffd8', 'hex'), ...chunks, Buffer.from('ffd8ffd9ffd805ffd9', 'hex')])).toEqual([
      'ffd805ffd9',
    ]);
  });
});
