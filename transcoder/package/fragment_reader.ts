/**
 * Reads one track's fragmented MP4 as it comes from FFmpeg's pipe, in chunks cut anywhere, and gives its
 * initialization and its samples (ISO/IEC 14496-12 section 8.8).
 */
import { BoxError, listBoxes, requireBox } from './boxes.ts';
import type { Box } from './boxes.ts';
import { ByteQueue } from './byte_queue.ts';
import { parseTrackInit } from './track_init.ts';
import type { SampleDefaults, TrackInit } from './track_init.ts';

/** One coded picture or AAC frame. */
export interface Sample {
  /** Decoding time, ticks of the track's timescale. */
  readonly dts: number;
  /** Presentation time minus decoding time, ticks. */
  readonly compositionOffset: number;
  /** Ticks. */
  readonly duration: number;
  readonly keyframe: boolean;
  /** Shared with the chunk that it came in: not to be written to. */
  readonly data: Buffer;
}

export interface FragmentReading {
  /** Set once, by the push that completes the `moov` box. */
  readonly init?: TrackInit;
  readonly samples: readonly Sample[];
}

/** A box other than media that is larger than this is an error, not something to wait for. */
const MAX_HEADER_BYTES = 1024 * 1024;
/** More than 10 s at 50 Mb/s. */
const MAX_MEDIA_BYTES = 64 * 1024 * 1024;
/** sample_is_non_sync_sample (ISO/IEC 14496-12 section 8.8.3.1). */
const NON_SYNC = 0x0001_0000;

interface Run {
  /** Offset of the run's data from the start of the `moof` box. */
  readonly offset: number;
  readonly entries: readonly (Omit<Sample, 'data'> & { readonly size: number })[];
}

export class FragmentReader {
  readonly #queue = new ByteQueue();
  #init: TrackInit | undefined;
  #skip = 0;
  #runs: readonly Run[] = [];
  /** Bytes from the start of the last `moof` to where the queue is read next. */
  #position = 0;

  /**
   * Takes ownership of the chunk.
   * @throws BoxError; the reader is of no use afterwards
   */
  push(chunk: Buffer): FragmentReading {
    this.#queue.push(chunk);
    const samples: Sample[] = [];
    const before = this.#init;
    try {
      while (this.#step(samples));
    } catch (error) {
      // A field that lies beyond its buffer.
      throw error instanceof RangeError ? new BoxError('got a truncated box', { cause: error }) : error;
    }
    return this.#init !== undefined && before === undefined ? { init: this.#init, samples } : { samples };
  }

  /** Reads one box if it is all there. */
  #step(samples: Sample[]): boolean {
    if (this.#skip > 0) {
      this.#skip -= this.#queue.skip(this.#skip);
      if (this.#skip > 0) return false;
    }
    const header = this.#queue.peek(8);
    if (header === undefined) return false;
    const type = header.toString('latin1', 4, 8);
    const size = header.readUInt32BE(0);
    if (size < 8) throw new BoxError(`box ${JSON.stringify(type)}: got a size of ${size}, wanted at least 8`);
    if (type === 'moov' || type === 'moof') {
      if (size > MAX_HEADER_BYTES) throw new BoxError(`${type}: got ${size} bytes, wanted at most ${MAX_HEADER_BYTES}`);
      if (this.#queue.length < size) return false;
      this.#readHeader(type, this.#queue.read(size));
      return true;
    }
    if (type === 'mdat') {
      if (size > MAX_MEDIA_BYTES) throw new BoxError(`mdat: got ${size} bytes, wanted at most ${MAX_MEDIA_BYTES}`);
      if (this.#queue.length < size) return false;
      this.#readMedia(size, samples);
      return true;
    }
    if (size > MAX_HEADER_BYTES) throw new BoxError(`box ${JSON.stringify(type)}: got ${size} bytes, wanted fewer`);
    this.#skip = size;
    return true;
  }

  #readHeader(type: 'moov' | 'moof', bytes: Buffer): void {
    if (type === 'moov') {
      if (this.#init !== undefined) throw new BoxError('got a second moov box, wanted fragments');
      this.#init = parseTrackInit(bytes);
      return;
    }
    if (this.#init === undefined) throw new BoxError('got a moof box before the moov box');
    this.#runs = readRuns(bytes, this.#init);
    this.#position = bytes.length;
  }

  #readMedia(size: number, samples: Sample[]): void {
    this.#queue.skip(8);
    const end = this.#position + size;
    this.#position += 8;
    for (const run of this.#runs) {
      if (run.offset < this.#position) throw new BoxError('trun: got data that overlaps another run or its header');
      this.#advanceTo(run.offset, end);
      for (const { size: bytes, ...timing } of run.entries) {
        if (this.#position + bytes > end) throw new BoxError('trun: got samples beyond the end of the mdat box');
        samples.push({ ...timing, data: this.#queue.read(bytes) });
        this.#position += bytes;
      }
    }
    this.#advanceTo(end, end);
    this.#runs = [];
  }

  #advanceTo(position: number, end: number): void {
    if (position > end) throw new BoxError('trun: got a data offset beyond the end of the mdat box');
    this.#queue.skip(position - this.#position);
    this.#position = position;
  }
}

function readRuns(moof: Buffer, init: TrackInit): Run[] {
  const runs: Run[] = [];
  for (const traf of listBoxes(moof, 8, moof.length)) {
    if (traf.type !== 'traf') continue;
    const header = readTrackFragmentHeader(moof, requireBox(moof, traf, ['tfhd'], 8), init);
    let dts = readDecodeTime(moof, requireBox(moof, traf, ['tfdt'], 8));
    let offset = moof.length + 8;
    for (const trun of listBoxes(moof, traf.body, traf.end)) {
      if (trun.type !== 'trun') continue;
      const run = readRun(moof, trun, header, dts, offset);
      runs.push(run);
      for (const entry of run.entries) dts += entry.duration;
      offset = run.entries.reduce((sum, entry) => sum + entry.size, run.offset);
    }
  }
  return runs.toSorted((one, other) => one.offset - other.offset);
}

/** tfhd (ISO/IEC 14496-12 section 8.8.7). */
function readTrackFragmentHeader(moof: Buffer, tfhd: Box, init: TrackInit): SampleDefaults {
  const flags = moof.readUIntBE(tfhd.body + 1, 3);
  const trackId = moof.readUInt32BE(tfhd.body + 4);
  if (trackId !== init.trackId) throw new BoxError(`tfhd: got track ${trackId}, wanted ${init.trackId}`);
  // Offsets are then from the start of the moof box; FFmpeg writes it with +default_base_moof.
  if ((flags & 0x02_00_00) === 0) throw new BoxError('tfhd: got no default-base-is-moof flag, wanted it');
  let at = tfhd.body + 8 + (flags & 0x01 ? 8 : 0) + (flags & 0x02 ? 4 : 0);
  const next = (present: number, fallback: number): number => {
    if ((flags & present) === 0) return fallback;
    if (at + 4 > tfhd.end) throw new BoxError('tfhd: got a truncated box');
    at += 4;
    return moof.readUInt32BE(at - 4);
  };
  return {
    duration: next(0x08, init.defaults.duration),
    size: next(0x10, init.defaults.size),
    flags: next(0x20, init.defaults.flags),
  };
}

/** tfdt (ISO/IEC 14496-12 section 8.8.12). */
function readDecodeTime(moof: Buffer, tfdt: Box): number {
  if (moof[tfdt.body] === 0) return moof.readUInt32BE(tfdt.body + 4);
  if (tfdt.end - tfdt.body < 12) throw new BoxError('tfdt: got a truncated box');
  const time = Number(moof.readBigInt64BE(tfdt.body + 4));
  if (!Number.isSafeInteger(time) || time < 0) throw new BoxError(`tfdt: got ${time}, wanted a time from 0 to 2^53`);
  return time;
}

/** trun (ISO/IEC 14496-12 section 8.8.8). */
function readRun(moof: Buffer, trun: Box, defaults: SampleDefaults, firstDts: number, nextOffset: number): Run {
  if (trun.end - trun.body < 8) throw new BoxError('trun: got a truncated box');
  const signed = (moof[trun.body] ?? 0) > 0;
  const flags = moof.readUIntBE(trun.body + 1, 3);
  const count = moof.readUInt32BE(trun.body + 4);
  let at = trun.body + 8;
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  const preamble = (flags & 0x01 ? 4 : 0) + (flags & 0x04 ? 4 : 0);
  if (at + preamble + count * fields * 4 > trun.end || (fields === 0 && count > 10_000)) {
    throw new BoxError(`trun: got ${count} samples in ${trun.end - trun.start} bytes`);
  }
  const word = (): number => {
    at += 4;
    return moof.readUInt32BE(at - 4);
  };
  const offset = flags & 0x01 ? word() | 0 : nextOffset;
  const firstFlags = flags & 0x04 ? word() : undefined;
  let dts = firstDts;
  const entries: Run['entries'][number][] = [];
  for (let index = 0; index < count; index += 1) {
    const duration = flags & 0x100 ? word() : defaults.duration;
    const size = flags & 0x200 ? word() : defaults.size;
    const ownFlags = flags & 0x400 ? word() : defaults.flags;
    const composition = flags & 0x800 ? word() : 0;
    const sampleFlags = index === 0 && firstFlags !== undefined ? firstFlags : ownFlags;
    const compositionOffset = signed ? composition | 0 : composition;
    entries.push({ dts, compositionOffset, duration, keyframe: (sampleFlags & NON_SYNC) === 0, size });
    dts += duration;
  }
  return { offset, entries };
}
