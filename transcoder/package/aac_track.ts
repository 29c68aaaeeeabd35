/**
 * The one audio form that this server publishes, AAC-LC at 48 kHz in stereo, and a frame of silence in it: what stands
 * in for sound that is late, has holes, or is not there at all.
 */
import { BoxError, box, fullBox, u16, u32 } from './boxes.ts';
import type { AudioTrackInit } from './track_init.ts';

export const AUDIO_TIMESCALE = 48_000;
/** Samples per AAC-LC frame (ISO/IEC 14496-3 section 4.5.1.1). */
export const AAC_FRAME_SAMPLES = 1024;
/** RFC 6381. */
export const AAC_CODEC = 'mp4a.40.2';

/** AudioSpecificConfig: object type 2, 48 kHz, two channels, SBR said to be absent (the same as FFmpeg's encoder writes). */
const AUDIO_SPECIFIC_CONFIG = Buffer.from('119056e500', 'hex');

/** One raw AAC-LC stereo frame that decodes to silence: a channel pair of two empty spectra, as FFmpeg's encoder writes it. */
export const SILENT_AAC_FRAME = Buffer.from('211004608c1c', 'hex');

/** @throws BoxError when FFmpeg's audio is not what the initialization segments announce */
export function checkAudioTrack(init: AudioTrackInit): void {
  const { codec, sampleRate, channels, timescale } = init;
  if (codec === AAC_CODEC && sampleRate === AUDIO_TIMESCALE && channels === 2 && timescale === AUDIO_TIMESCALE) return;
  throw new BoxError(
    `audio: got ${codec}, ${sampleRate} Hz, ${channels} channels, timescale ${timescale}; wanted ${AAC_CODEC}, 48000 Hz, 2 channels`,
  );
}

/**
 * The `trak` box of the audio (ISO/IEC 14496-12 section 8.3), without samples and without an edit list.
 * @param bitrate bits per second
 */
export function buildAudioTrak(trackId: number, bitrate: number): Buffer {
  const tkhd = fullBox(
    'tkhd',
    0,
    // Enabled, in movie, in preview.
    7,
    u32(0, 0, trackId, 0, 0, 0, 0),
    u16(0, 1, 0x0100, 0),
    IDENTITY_MATRIX,
    u32(0, 0),
  );
  const mdhd = fullBox('mdhd', 0, 0, u32(0, 0, AUDIO_TIMESCALE, 0), u16(0x55c4, 0));
  const hdlr = fullBox('hdlr', 0, 0, u32(0), Buffer.from('soun'), u32(0, 0, 0), Buffer.from('sound\0'));
  const dinf = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const minf = box('minf', fullBox('smhd', 0, 0, u32(0)), dinf, emptySampleTable(sampleEntry(bitrate)));
  return box('trak', tkhd, box('mdia', mdhd, hdlr, minf));
}

const IDENTITY_MATRIX = u32(0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000);

/** Samples of a fragmented file stand in its fragments: the tables are there and empty. */
function emptySampleTable(entry: Buffer): Buffer {
  return box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), entry),
    fullBox('stts', 0, 0, u32(0)),
    fullBox('stsc', 0, 0, u32(0)),
    fullBox('stsz', 0, 0, u32(0, 0)),
    fullBox('stco', 0, 0, u32(0)),
  );
}

/** AudioSampleEntry with its ES descriptor (ISO/IEC 14496-14 section 5.6). */
function sampleEntry(bitrate: number): Buffer {
  const specific = descriptor(0x05, AUDIO_SPECIFIC_CONFIG);
  // Object type 0x40: MPEG-4 audio; stream type 5: audio; no buffer size stated.
  const decoder = descriptor(0x04, Buffer.from([0x40, 0x15, 0, 0, 0]), u32(bitrate, bitrate), specific);
  const stream = descriptor(0x03, Buffer.from([0, 0, 0]), decoder, descriptor(0x06, Buffer.from([0x02])));
  return box(
    'mp4a',
    Buffer.alloc(6),
    u16(1, 0, 0, 0, 0, 2, 16, 0, 0),
    u32(AUDIO_TIMESCALE * 0x1_0000),
    fullBox('esds', 0, 0, stream),
  );
}

/** A descriptor of less than 128 bytes (ISO/IEC 14496-1 section 8.3.3). */
function descriptor(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, body.length]), body]);
}
