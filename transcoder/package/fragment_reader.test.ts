import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AAC_CODEC, checkAudioTrack } from './aac_track.ts';
import { BoxError, box, fullBox, u32 } from './boxes.ts';
import { FragmentReader } from './fragment_reader.ts';
import type { Sample } from './fragment_reader.ts';
import { audioFragment, audioInit, pictures, sounds, videoFragment, videoInit } from './testing/synthetic_track.ts';

function readAll(stream: Buffer, cuts: readonly number[] = []): Sample[] {
  const reader = new FragmentReader();
  const sorted = cuts.map((cut) => cut % (stream.length + 1)).toSorted((one, other) => one - other);
  const edges = [0, ...sorted, stream.length];
  return edges.slice(1).flatMap((end, index) => reader.push(stream.subarray(edges[index], end)).samples);
}

function errorOf(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

const VIDEO = Buffer.concat([
  videoInit(),
  videoFragment(pictures({ from: 900_000, count: 15 })),
  box('styp', Buffer.from('msdh')),
  videoFragment(pictures({ from: 945_000, count: 15, gop: 1 })),
  box('mfra'),
]);

describe('FragmentReader', () => {
  test('reads what the codec headers say', () => {
    expect(new FragmentReader().push(videoInit(1920, 1080)).init).toMatchObject({
      kind: 'video',
      codec: 'avc1.64001f',
      width: 1920,
      height: 1080,
      timescale: 90_000,
      trackId: 1,
    });
    const audio = new FragmentReader().push(audioInit()).init;
    expect(audio).toMatchObject({ kind: 'audio', codec: AAC_CODEC, sampleRate: 48_000, channels: 2 });
    expect(audio?.kind === 'audio' && checkAudioTrack(audio)).toBeUndefined();
  });

  test('gives the samples as they were written', () => {
    const samples = [...pictures({ from: 900_000, count: 15 }), ...pictures({ from: 945_000, count: 15, gop: 1 })];
    expect(readAll(VIDEO)).toEqual(samples);
    expect(readAll(Buffer.concat([audioInit(), audioFragment(sounds(480_000, 7))]))).toEqual(sounds(480_000, 7));
  });

  test('gives the same samples however the stream is cut into chunks', () => {
    const whole = readAll(VIDEO);
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        expect(readAll(VIDEO, cuts)).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  test('hands out slices of the chunk, not copies', () => {
    const reader = new FragmentReader();
    const { samples } = reader.push(VIDEO);
    expect(samples.every((sample) => sample.data.buffer === VIDEO.buffer)).toBe(true);
  });

  test('reads defaults of tfhd, first sample flags, several runs and a short tfdt', () => {
    const tfhd = fullBox('tfhd', 0, 0x02_00_38, u32(1, 3000, 2, 0x0101_0000));
    const tfdt = fullBox('tfdt', 0, 0, u32(4000));
    const offset = 8 + 8 + tfhd.length + tfdt.length + 24 + 20 + 8;
    const first = fullBox('trun', 0, 0x00_00_05, u32(2, offset, 0x0200_0000));
    const second = fullBox('trun', 1, 0x00_08_00, u32(1, 0xffff_f448));
    const moof = box('moof', box('traf', tfhd, tfdt, first, second));
    expect(moof).toHaveLength(offset - 8);
    const mdat = box('mdat', Buffer.from('aabbcc'));
    const samples = readAll(Buffer.concat([videoInit(), moof, mdat]));
    expect(samples).toEqual([
      { dts: 4000, compositionOffset: 0, duration: 3000, keyframe: true, data: Buffer.from('aa') },
      { dts: 7000, compositionOffset: 0, duration: 3000, keyframe: false, data: Buffer.from('bb') },
      { dts: 10_000, compositionOffset: -3000, duration: 3000, keyframe: false, data: Buffer.from('cc') },
    ]);
  });

  test.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a fragment before the header', videoFragment(pictures({ from: 0, count: 1 }))],
    ['a second header', Buffer.concat([videoInit(), videoInit()])],
    ['another track', Buffer.concat([videoInit(), audioFragment(sounds(0, 1))])],
    ['a huge header', Buffer.concat([u32(0x7fff_ffff), Buffer.from('moof')])],
    ['a huge mdat', Buffer.concat([videoInit(), u32(0x7fff_ffff), Buffer.from('mdat')])],
    ['a box of no size', Buffer.concat([u32(0), Buffer.from('mdat')])],
  ])('refuses %s with a typed error', (_, bytes) => {
    expect(() => readAll(bytes)).toThrow(BoxError);
  });

  test('throws nothing but typed errors on damaged streams', () => {
    const damage = fc.array(fc.tuple(fc.nat(VIDEO.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = Buffer.from(VIDEO);
        for (const [at, value] of changes) damaged[at] = value;
        expect(errorOf(() => readAll(damaged))).toSatisfy((error) => error === undefined || error instanceof BoxError);
      }),
      { numRuns: 2000 },
    );
  });
});
