/**
 * Fragmented MP4 of made-up tracks for tests: an H.264 track whose pictures are a few bytes, and an AAC track.
 */
import { AAC_FRAME_SAMPLES, buildAudioTrak } from '../aac_track.ts';
import { box, fullBox, u16, u32 } from '../boxes.ts';
import { writeFragment } from '../fragment_writer.ts';
import type { Sample } from '../fragment_reader.ts';

/** ftyp and moov of a video track with id 1: High profile, level 3.1. */
export function videoInit(width = 1280, height = 720, timescale = 90_000): Buffer {
  const avcC = box('avcC', Buffer.from('0164001fffe100046764000101000468eb01', 'hex'));
  const entry = box(
    'avc1',
    Buffer.alloc(6),
    u16(1),
    Buffer.alloc(16),
    u16(width, height),
    u32(0x48_0000, 0x48_0000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(24, 0xffff),
    avcC,
  );
  const stbl = box('stbl', fullBox('stsd', 0, 0, u32(1), entry));
  const mdhd = fullBox('mdhd', 0, 0, u32(0, 0, timescale, 0), u16(0x55c4, 0));
  const tkhd = fullBox('tkhd', 0, 7, Buffer.alloc(80));
  tkhd.writeUInt32BE(1, 20);
  const edits = box('edts', fullBox('elst', 0, 0, u32(0)));
  const trak = box('trak', tkhd, edits, box('mdia', mdhd, box('minf', stbl)));
  return Buffer.concat([box('ftyp', Buffer.from('iso5')), moov(trak, 1)]);
}

/** ftyp and moov of an AAC track with id 2. */
export function audioInit(): Buffer {
  return Buffer.concat([box('ftyp', Buffer.from('iso5')), moov(buildAudioTrak(2, 96_000), 2)]);
}

function moov(trak: Buffer, trackId: number): Buffer {
  return box('moov', trak, box('mvex', fullBox('trex', 0, 0, u32(trackId, 1, 0, 0, 0))));
}

export interface PictureOptions {
  readonly from: number;
  readonly count: number;
  /** 90 kHz ticks. */
  readonly frameTicks?: number;
  /** A key frame each so many pictures, counted from `from`; 0: none. */
  readonly gop?: number;
  readonly bytes?: number;
}

/** Pictures without reordering. `from` in 90 kHz ticks. */
export function pictures({ from, count, frameTicks = 3000, gop = 60, bytes = 8 }: PictureOptions): Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    dts: from + index * frameTicks,
    compositionOffset: 0,
    duration: frameTicks,
    keyframe: gop > 0 && index % gop === 0,
    data: Buffer.alloc(bytes, index),
  }));
}

/** Sound frames; `from` in 48 kHz ticks. */
export function sounds(from: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    dts: from + index * AAC_FRAME_SAMPLES,
    compositionOffset: 0,
    duration: AAC_FRAME_SAMPLES,
    keyframe: true,
    data: Buffer.from([0x21, index & 0xff]),
  }));
}

export function videoFragment(samples: readonly Sample[]): Buffer {
  return writeFragment(1, [{ trackId: 1, kind: 'video', baseDecodeTime: samples[0]?.dts ?? 0, samples }]);
}

export function audioFragment(samples: readonly Sample[]): Buffer {
  return writeFragment(1, [{ trackId: 2, kind: 'audio', baseDecodeTime: samples[0]?.dts ?? 0, samples }]);
}
