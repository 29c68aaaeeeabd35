/**
 * Reads when a stored segment plays, from its boxes alone, and holds them to its initialization segment: is this whole,
 * and is it of this rendition? (ISO/IEC 14496-12 sections 8.4 and 8.8.)
 */

/** Thrown for bytes that are not the whole segment that they should be. The message is one line. */
export class SegmentFormatError extends Error {
  override readonly name = 'SegmentFormatError';
}

export interface InitTrack {
  readonly trackId: number;
  /** `vide`, `soun`: the handler type. */
  readonly handler: string;
  /** Ticks per second. */
  readonly timescale: number;
}

/** Decoding times of one track in a segment, in ticks of its timescale. */
export interface TrackTiming {
  readonly start: number;
  readonly end: number;
}

export interface SegmentTiming {
  /** By track id. */
  readonly tracks: ReadonlyMap<number, TrackTiming>;
  /** Seconds of the timeline's track: video, or audio where there is no video. */
  readonly start: number;
  readonly duration: number;
}

interface Box {
  readonly type: string;
  readonly body: number;
  readonly end: number;
}

function boxes(bytes: DataView, from: number, to: number): Box[] {
  const found: Box[] = [];
  let at = from;
  while (at < to) {
    if (to - at < 8) throw new SegmentFormatError(`got ${to - at} bytes at ${at}, wanted a box header of 8`);
    const size = bytes.getUint32(at);
    const type = String.fromCodePoint(...[4, 5, 6, 7].map((offset) => bytes.getUint8(at + offset)));
    if (size < 8 || at + size > to) {
      throw new SegmentFormatError(
        `box ${JSON.stringify(type)} at ${at}: got a size of ${size}, wanted at most ${to - at}`,
      );
    }
    found.push({ type, body: at + 8, end: at + size });
    at += size;
  }
  return found;
}

function required(bytes: DataView, parent: Box, path: readonly string[], minimum: number): Box {
  let box = parent;
  for (const type of path) {
    const child = boxes(bytes, box.body, box.end).find((candidate) => candidate.type === type);
    if (child === undefined) throw new SegmentFormatError(`got no ${type} box in ${box.type}, wanted one`);
    box = child;
  }
  if (box.end - box.body < minimum) {
    throw new SegmentFormatError(`${box.type}: got ${box.end - box.body} bytes, wanted at least ${minimum}`);
  }
  return box;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Tracks of an initialization segment. @throws SegmentFormatError */
export function readInitTracks(init: Uint8Array): InitTrack[] {
  const bytes = viewOf(init);
  const moov = required(bytes, { type: 'file', body: 0, end: bytes.byteLength }, ['moov'], 0);
  const traks = boxes(bytes, moov.body, moov.end).filter((box) => box.type === 'trak');
  const tracks = traks.map((trak) => {
    const tkhd = required(bytes, trak, ['tkhd'], 32);
    const mdhd = required(bytes, trak, ['mdia', 'mdhd'], 24);
    const hdlr = required(bytes, trak, ['mdia', 'hdlr'], 12);
    const timescale = bytes.getUint32(mdhd.body + (bytes.getUint8(mdhd.body) === 1 ? 20 : 12));
    if (timescale === 0) throw new SegmentFormatError('mdhd: got a timescale of 0, wanted a positive one');
    const handler = [8, 9, 10, 11].map((offset) => bytes.getUint8(hdlr.body + offset));
    return {
      trackId: bytes.getUint32(tkhd.body + (bytes.getUint8(tkhd.body) === 1 ? 20 : 12)),
      handler: String.fromCodePoint(...handler),
      timescale,
    };
  });
  if (tracks.length === 0) throw new SegmentFormatError('moov: got no trak box, wanted one');
  return tracks;
}

/** The track whose samples make a segment's duration. */
export function timelineTrack(tracks: readonly InitTrack[]): InitTrack {
  const track = tracks.find((candidate) => candidate.handler === 'vide') ?? tracks[0];
  if (track === undefined) throw new SegmentFormatError('got no track, wanted one');
  return track;
}

/**
 * Walks all fragments of a segment: each `moof` with its `mdat`, whose size must be that of the samples.
 * @throws SegmentFormatError
 */
export function readSegmentTiming(segment: Uint8Array, init: readonly InitTrack[]): SegmentTiming {
  const bytes = viewOf(segment);
  const tracks = new Map<number, TrackTiming>();
  const known = new Set(init.map((track) => track.trackId));
  let expected: number | undefined;
  try {
    for (const box of boxes(bytes, 0, bytes.byteLength)) {
      if (box.type === 'moof') {
        if (expected !== undefined)
          throw new SegmentFormatError('got a moof box, wanted the mdat box of the one before');
        expected = readFragment(bytes, box, known, tracks);
      } else if (box.type === 'mdat') {
        const got = box.end - box.body;
        if (expected !== got)
          throw new SegmentFormatError(`mdat: got ${got} bytes, wanted ${expected ?? 'a moof before it'}`);
        expected = undefined;
      } else if (box.type === 'moov') {
        throw new SegmentFormatError('got a moov box, wanted fragments alone');
      }
    }
  } catch (error) {
    // A field that lies beyond the buffer.
    if (error instanceof RangeError) throw new SegmentFormatError('got a truncated box', { cause: error });
    throw error;
  }
  if (expected !== undefined) throw new SegmentFormatError('got a moof box without its mdat box');
  const { trackId, timescale } = timelineTrack(init);
  const timing = tracks.get(trackId);
  if (timing === undefined) throw new SegmentFormatError(`got no samples of track ${trackId}, wanted some`);
  return { tracks, start: timing.start / timescale, duration: (timing.end - timing.start) / timescale };
}

/** Adds a fragment's times to those of its segment. @returns the bytes of its samples */
function readFragment(
  bytes: DataView,
  moof: Box,
  known: ReadonlySet<number>,
  tracks: Map<number, TrackTiming>,
): number {
  let sampleBytes = 0;
  for (const traf of boxes(bytes, moof.body, moof.end)) {
    if (traf.type !== 'traf') continue;
    const defaults = readDefaults(bytes, required(bytes, traf, ['tfhd'], 8));
    if (!known.has(defaults.trackId)) {
      throw new SegmentFormatError(`tfhd: got track ${defaults.trackId}, wanted one of ${[...known].join(', ')}`);
    }
    const start = readDecodeTime(bytes, required(bytes, traf, ['tfdt'], 8));
    const before = tracks.get(defaults.trackId);
    if (before !== undefined && before.end !== start) {
      throw new SegmentFormatError(`tfdt of track ${defaults.trackId}: got ${start}, wanted ${before.end}`);
    }
    let end = start;
    for (const trun of boxes(bytes, traf.body, traf.end)) {
      if (trun.type !== 'trun') continue;
      const run = readRun(bytes, trun, defaults);
      end += run.duration;
      sampleBytes += run.size;
    }
    tracks.set(defaults.trackId, { start: before?.start ?? start, end });
  }
  return sampleBytes;
}

interface FragmentDefaults {
  readonly trackId: number;
  readonly duration: number;
  readonly size: number;
}

/** tfhd (section 8.8.7); what it leaves to the `trex` box counts as 0, because ours leave nothing to it. */
function readDefaults(bytes: DataView, tfhd: Box): FragmentDefaults {
  const flags = bytes.getUint32(tfhd.body) & 0xff_ff_ff;
  let at = tfhd.body + 8 + (flags & 0x01 ? 8 : 0) + (flags & 0x02 ? 4 : 0);
  const next = (present: number): number => {
    if ((flags & present) === 0) return 0;
    at += 4;
    return bytes.getUint32(at - 4);
  };
  return { trackId: bytes.getUint32(tfhd.body + 4), duration: next(0x08), size: next(0x10) };
}

/** tfdt (section 8.8.12). */
function readDecodeTime(bytes: DataView, tfdt: Box): number {
  if (bytes.getUint8(tfdt.body) === 0) return bytes.getUint32(tfdt.body + 4);
  const time = Number(bytes.getBigUint64(tfdt.body + 4));
  if (!Number.isSafeInteger(time)) throw new SegmentFormatError(`tfdt: got ${time}, wanted a time below 2^53`);
  return time;
}

/** trun (section 8.8.8). */
function readRun(bytes: DataView, trun: Box, defaults: FragmentDefaults): { duration: number; size: number } {
  const flags = bytes.getUint32(trun.body) & 0xff_ff_ff;
  const count = bytes.getUint32(trun.body + 4);
  let at = trun.body + 8 + (flags & 0x01 ? 4 : 0) + (flags & 0x04 ? 4 : 0);
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  if (at + count * fields * 4 > trun.end || (fields === 0 && count > 10_000)) {
    throw new SegmentFormatError(`trun: got ${count} samples in ${trun.end - trun.body} bytes`);
  }
  let duration = 0;
  let size = 0;
  for (let index = 0; index < count; index += 1) {
    duration += flags & 0x100 ? bytes.getUint32(at) : defaults.duration;
    size += flags & 0x200 ? bytes.getUint32(at + (flags & 0x100 ? 4 : 0)) : defaults.size;
    at += fields * 4;
  }
  return { duration, size };
}
