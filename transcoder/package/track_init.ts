/**
 * What the initialization segment of a one-track fragmented MP4 says about its track (ISO/IEC 14496-12 section 8.3).
 */
import { parseAvcConfig } from '../flv/avc_config.ts';
import { CodecConfigError } from '../flv/codec_config_error.ts';
import { BoxError, findBox, listBoxes, requireBox } from './boxes.ts';
import type { Box } from './boxes.ts';

/** Values of the `trex` box that fragments fall back to (ISO/IEC 14496-12 section 8.8.3). */
export interface SampleDefaults {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

interface TrackInitBase {
  readonly trackId: number;
  /** Ticks per second of the track's times. */
  readonly timescale: number;
  readonly defaults: SampleDefaults;
  /** The whole `trak` box. */
  readonly trak: Buffer;
  /** RFC 6381: `avc1.64001f`, `mp4a.40.2`. */
  readonly codec: string;
}

export interface VideoTrackInit extends TrackInitBase {
  readonly kind: 'video';
  readonly width: number;
  readonly height: number;
  /** Frames that may come before one that is shown earlier; undefined when the codec header does not say. */
  readonly reorderFrames: number | undefined;
}

export interface AudioTrackInit extends TrackInitBase {
  readonly kind: 'audio';
  readonly sampleRate: number;
  readonly channels: number;
  /** ISO/IEC 14496-3 section 1.6. */
  readonly audioSpecificConfig: Buffer;
}

export type TrackInit = VideoTrackInit | AudioTrackInit;

/**
 * Reads a `moov` box with exactly one track of H.264 or AAC.
 * @param moov the whole box
 * @throws BoxError
 */
export function parseTrackInit(moov: Buffer): TrackInit {
  const root = { body: 8, end: moov.length };
  const traks = listBoxes(moov, root.body, root.end).filter((box) => box.type === 'trak');
  const trak = traks[0];
  if (trak === undefined || traks.length > 1) throw new BoxError(`got ${traks.length} tracks, wanted 1`);
  const tkhd = requireBox(moov, trak, ['tkhd'], 24);
  const mdhd = requireBox(moov, trak, ['mdia', 'mdhd'], 24);
  const trackId = moov.readUInt32BE(tkhd.body + (moov[tkhd.body] === 1 ? 20 : 12));
  const timescale = moov.readUInt32BE(mdhd.body + (moov[mdhd.body] === 1 ? 20 : 12));
  if (timescale === 0) throw new BoxError('mdhd: got a timescale of 0, wanted a positive one');
  const base = { trackId, timescale, defaults: readDefaults(moov, root), trak: moov.subarray(trak.start, trak.end) };
  const stsd = requireBox(moov, trak, ['mdia', 'minf', 'stbl', 'stsd'], 8);
  const entry = listBoxes(moov, stsd.body + 8, stsd.end)[0];
  if (entry?.type === 'avc1' || entry?.type === 'avc3') return { ...base, ...readVideoEntry(moov, entry) };
  if (entry?.type === 'mp4a') return { ...base, ...readAudioEntry(moov, entry) };
  throw new BoxError(`stsd: got ${JSON.stringify(entry?.type)}, wanted avc1, avc3 or mp4a`);
}

function readDefaults(moov: Buffer, root: Pick<Box, 'body' | 'end'>): SampleDefaults {
  const trex = requireBox(moov, root, ['mvex', 'trex'], 24).body;
  return {
    duration: moov.readUInt32BE(trex + 12),
    size: moov.readUInt32BE(trex + 16),
    flags: moov.readUInt32BE(trex + 20),
  };
}

/** VisualSampleEntry: 78 bytes before its boxes (ISO/IEC 14496-12 section 12.1.3). */
function readVideoEntry(
  moov: Buffer,
  entry: Box,
): Omit<VideoTrackInit, keyof TrackInitBase> & { readonly codec: string } {
  if (entry.end - entry.body < 78) throw new BoxError(`${entry.type}: got a truncated sample entry`);
  const avcC = requireBox(moov, { body: entry.body + 78, end: entry.end }, ['avcC'], 7);
  return {
    kind: 'video',
    width: moov.readUInt16BE(entry.body + 24),
    height: moov.readUInt16BE(entry.body + 26),
    codec: `${entry.type}.${moov.toString('hex', avcC.body + 1, avcC.body + 4)}`,
    reorderFrames: readReorderFrames(moov.subarray(avcC.body, avcC.end)),
  };
}

/** A header that cannot be read is the decoder's affair: it says nothing of the order of frames. */
function readReorderFrames(avcC: Buffer): number | undefined {
  try {
    return parseAvcConfig(avcC).reorderFrames;
  } catch (error) {
    if (error instanceof CodecConfigError) return undefined;
    throw error;
  }
}

const AAC_SAMPLE_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/** AudioSampleEntry: 28 bytes before its boxes (ISO/IEC 14496-12 section 12.2.3). */
function readAudioEntry(
  moov: Buffer,
  entry: Box,
): Pick<AudioTrackInit, 'kind' | 'sampleRate' | 'channels' | 'audioSpecificConfig' | 'codec'> {
  if (entry.end - entry.body < 28) throw new BoxError('mp4a: got a truncated sample entry');
  const esds = findBox(moov, { body: entry.body + 28, end: entry.end }, 'esds');
  if (esds === undefined) throw new BoxError('mp4a: got no esds box, wanted one');
  const config = readDecoderConfig(moov.subarray(esds.body + 4, esds.end));
  const first = config[0] ?? 0;
  const second = config[1] ?? 0;
  const objectType = first >> 3;
  const sampleRate = AAC_SAMPLE_RATES[((first & 7) << 1) | (second >> 7)];
  if (config.length < 2 || sampleRate === undefined) {
    throw new BoxError('esds: got an AudioSpecificConfig that is cut short or has its own sample rate');
  }
  return {
    kind: 'audio',
    sampleRate,
    channels: (second >> 3) & 15,
    audioSpecificConfig: config,
    codec: `mp4a.40.${objectType}`,
  };
}

/** Walks ES_Descriptor → DecoderConfigDescriptor → DecoderSpecificInfo (ISO/IEC 14496-1 section 7.2.6). */
function readDecoderConfig(descriptors: Buffer): Buffer {
  const stream = readDescriptor(descriptors, 0x03);
  const flags = stream[2] ?? 0;
  const optional = (flags & 0x80 ? 2 : 0) + (flags & 0x40 ? 1 + (stream[3] ?? 0) : 0) + (flags & 0x20 ? 2 : 0);
  const decoder = readDescriptor(stream.subarray(3 + optional), 0x04);
  return readDescriptor(decoder.subarray(13), 0x05);
}

function readDescriptor(bytes: Buffer, tag: number): Buffer {
  if (bytes[0] !== tag) throw new BoxError(`esds: got descriptor ${bytes[0] ?? 'nothing'}, wanted ${tag}`);
  let size = 0;
  for (let index = 1; index <= 4; index += 1) {
    const byte = bytes[index] ?? 0;
    size = (size << 7) | (byte & 0x7f);
    if ((byte & 0x80) === 0) {
      if (index + 1 + size > bytes.length) throw new BoxError(`esds: descriptor ${tag} is longer than its box`);
      return bytes.subarray(index + 1, index + 1 + size);
    }
  }
  throw new BoxError(`esds: descriptor ${tag} has a size of more than four bytes`);
}
