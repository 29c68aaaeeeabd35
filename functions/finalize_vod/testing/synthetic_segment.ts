/**
 * Segments and initialization segments whose boxes are right and whose media is noise, for tests that decode nothing.
 */

const u32 = (...values: readonly number[]): Buffer => {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value >>> 0, index * 4);
  return buffer;
};

const box = (type: string, ...contents: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(contents);
  return Buffer.concat([u32(8 + body.length), Buffer.from(type, 'latin1'), body]);
};

const trak = (id: number, handler: string, timescale: number): Buffer =>
  box(
    'trak',
    box('tkhd', u32(0, 0, 0, id, 0, 0, 0, 0, 0)),
    box('mdia', box('mdhd', u32(0, 0, 0, timescale, 0, 0)), box('hdlr', u32(0, 0), Buffer.from(handler), u32(0, 0))),
  );

/** Video as track 1 at 90 kHz, audio as track 2 at 48 kHz. */
export function syntheticInit(videoTimescale = 90_000): Buffer {
  return Buffer.concat([
    box('ftyp', Buffer.from('iso6')),
    box('moov', trak(1, 'vide', videoTimescale), trak(2, 'soun', 48_000)),
  ]);
}

export interface SyntheticSegment {
  /** Seconds on the epoch's timeline. */
  readonly start: number;
  /** Seconds. */
  readonly duration: number;
  /** Bytes of the media differ with it. */
  readonly seed: number;
  readonly trackId?: number;
}

/** Two fragments of video and audio. */
export function syntheticSegment({ start, duration, seed, trackId = 1 }: SyntheticSegment): Buffer {
  const half = duration / 2;
  return Buffer.concat([0, 1].map((part) => fragment(start + part * half, half, seed * 2 + part, trackId)));
}

function fragment(start: number, duration: number, seed: number, trackId: number): Buffer {
  const media = Buffer.alloc(48, seed % 251);
  media.writeUInt32BE(seed >>> 0, 0);
  const traf = (id: number, timescale: number, bytes: number) =>
    box(
      'traf',
      box('tfhd', u32(0x0002_0000, id)),
      box('tfdt', u32(0x0100_0000, 0, Math.round(start * timescale))),
      box('trun', u32(0x0000_0301, 1, 0, Math.round(duration * timescale), bytes)),
    );
  return Buffer.concat([
    box('moof', box('mfhd', u32(0, seed)), traf(trackId, 90_000, 32), traf(2, 48_000, 16)),
    box('mdat', media),
  ]);
}
