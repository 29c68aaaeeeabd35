import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMetadata } from './metadata.ts';

function text(content: string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function value(of: number | string | boolean): Buffer {
  if (typeof of === 'string') return Buffer.concat([Buffer.from([2]), text(of)]);
  if (typeof of === 'boolean') return Buffer.from([1, of ? 1 : 0]);
  const number = Buffer.alloc(9);
  number.writeDoubleBE(of, 1);
  return number;
}

function message(properties: readonly (readonly [string, Buffer])[], marker = 8): Buffer {
  return Buffer.concat([
    value('onMetaData'),
    marker === 8 ? Buffer.from([8, 0, 0, 0, properties.length]) : Buffer.from([3]),
    ...properties.flatMap(([name, bytes]) => [text(name), bytes]),
    Buffer.from([0, 0, 9]),
  ]);
}

const OBS = message([
  ['duration', value(0)],
  ['width', value(1920)],
  ['height', value(1080)],
  ['videocodecid', value(7)],
  ['videodatarate', value(2500)],
  ['framerate', value(29.97)],
  ['audiocodecid', value(10)],
  ['audiodatarate', value(160)],
  ['audiosamplerate', value(48_000)],
  ['stereo', value(true)],
  ['encoder', value('obs-output module\u0007 (libobs version 29.0.2)')],
]);

const WANTED = {
  width: 1920,
  height: 1080,
  videoBitrate: 2_500_000,
  frameRate: 29.97,
  audioBitrate: 160_000,
  audioSampleRate: 48_000,
  hasVideo: true,
  hasAudio: true,
  encoder: 'obs-output module (libobs version 29.0.2)',
};

describe('parseMetadata', () => {
  it('reads what OBS writes', () => {
    expect(parseMetadata(OBS)).toEqual(WANTED);
  });

  it('reads it behind @setDataFrame too, and as an object', () => {
    expect(parseMetadata(Buffer.concat([value('@setDataFrame'), OBS]))).toEqual(WANTED);
    expect(parseMetadata(message([['framerate', value('25')]], 3))).toEqual({ frameRate: 25 });
  });

  it('reads over nested values', () => {
    const nested = Buffer.concat([Buffer.from([3]), text('framerate'), value(1), Buffer.from([0, 0, 9])]);
    const array = Buffer.concat([Buffer.from([10, 0, 0, 0, 2]), value(1), nested]);
    const all = message([
      ['a', nested],
      ['b', array],
      ['c', Buffer.from([5])],
      ['framerate', value(50)],
    ]);
    expect(parseMetadata(all)).toEqual({ frameRate: 50 });
  });

  it('leaves out what is not plausible', () => {
    const odd = message([
      ['framerate', value(Number.NaN)],
      ['width', value(-1)],
      ['height', value(1e9)],
      ['videodatarate', value(0)],
      ['audiocodecid', value(0)],
    ]);
    expect(parseMetadata(odd)).toEqual({ hasAudio: false });
  });

  it('keeps what stands before the damage', () => {
    expect(parseMetadata(OBS.subarray(0, 75))).toMatchObject({ width: 1920, height: 1080 });
    const deep = Buffer.concat(Array.from({ length: 5000 }, () => Buffer.concat([Buffer.from([3]), text('a')])));
    expect(
      parseMetadata(
        message([
          ['framerate', value(30)],
          ['deep', deep],
        ]),
      ),
    ).toEqual({ frameRate: 30 });
  });

  it('never throws', () => {
    const damaged = fc.array(fc.tuple(fc.nat(OBS.length - 1), fc.nat(255)), { maxLength: 10 }).map((changes) => {
      const bytes = Buffer.from(OBS);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        expect(() => parseMetadata(Buffer.from(bytes))).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});
