/**
 * Reads an H.264 sequence parameter set (ITU-T H.264 section 7.3.2.1.1) as far as a transcoder needs it: what a
 * decoder must be able to do, the picture's size as displayed, and the declared timing.
 */
import { BitReader } from './bit_reader.ts';
import { CodecConfigError } from './codec_config_error.ts';

export interface SequenceParameterSet {
  /** profile_idc: 66 Baseline, 77 Main, 100 High, 110 High 10, 122 High 4:2:2, 244 High 4:4:4. */
  readonly profile: number;
  /** level_idc: ten times the level. */
  readonly level: number;
  /** chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number;
  /** Larger of luma's and chroma's, bits. */
  readonly bitDepth: number;
  /** False when fields or field pairs may be coded (frame_mbs_only_flag is 0). */
  readonly progressive: boolean;
  /** Pixels after cropping. */
  readonly width: number;
  readonly height: number;
  /** Width of a sample divided by its height; 1 when it is not said. */
  readonly sampleAspectRatio: number;
  /** Frames per second that the VUI declares; undefined when it declares none. */
  readonly frameRate: number | undefined;
  /** Frames that may come before one that is shown earlier (max_num_reorder_frames); undefined when it is not said. */
  readonly reorderFrames: number | undefined;
}

/** Profiles with the chroma and bit depth fields (section 7.3.2.1.1). */
const HIGH_PROFILES: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
/** Table E-1, index: aspect_ratio_idc. */
const SAMPLE_ASPECT_RATIOS: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];
const EXTENDED_SAR = 255;
/** Larger than any level allows (table A-1: level 6.2 ends at 16880 samples). */
const MAX_DIMENSION = 16_880;
/** No decoder holds more frames (section A.3.1, MaxDpbFrames). */
const MAX_REORDER_FRAMES = 16;

/**
 * @param nal the whole NAL unit, its header byte included, with emulation prevention bytes
 * @throws CodecConfigError when it breaks the syntax or a limit
 */
export function parseSequenceParameterSet(nal: Uint8Array): SequenceParameterSet {
  const reader = new BitReader(withoutEmulationPrevention(nal.subarray(1)));
  const profile = reader.bits(8);
  reader.bits(8);
  const level = reader.bits(8);
  reader.unsigned();
  const format = HIGH_PROFILES.has(profile)
    ? readChromaFormat(reader)
    : { chromaFormat: 1, bitDepth: 8, separatePlanes: false };
  bounded(reader.unsigned(), 12, 'log2_max_frame_num_minus4');
  skipPictureOrderCount(reader);
  bounded(reader.unsigned(), 16, 'max_num_ref_frames');
  reader.bit();
  const widthInMacroblocks = reader.unsigned() + 1;
  const heightInMapUnits = reader.unsigned() + 1;
  const progressive = reader.flag();
  if (!progressive) reader.bit();
  reader.bit();
  const size = readCroppedSize(reader, format, progressive, widthInMacroblocks, heightInMapUnits);
  const vui = reader.flag() ? readVui(reader) : NO_VUI;
  return { profile, level, chromaFormat: format.chromaFormat, bitDepth: format.bitDepth, progressive, ...size, ...vui };
}

/** Section 7.4.1: the byte 3 after two zero bytes is not payload. */
function withoutEmulationPrevention(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length);
  let length = 0;
  let zeros = 0;
  for (const byte of data) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length] = byte;
    length += 1;
  }
  return out.subarray(0, length);
}

function bounded(value: number, max: number, name: string): number {
  if (value > max) throw new CodecConfigError(`the SPS has ${name} ${value}, wanted at most ${max}`);
  return value;
}

interface ChromaFormat {
  readonly chromaFormat: number;
  readonly bitDepth: number;
  readonly separatePlanes: boolean;
}

function readChromaFormat(reader: BitReader): ChromaFormat {
  const chromaFormat = bounded(reader.unsigned(), 3, 'chroma_format_idc');
  const separatePlanes = chromaFormat === 3 && reader.flag();
  const luma = bounded(reader.unsigned(), 6, 'bit_depth_luma_minus8') + 8;
  const chroma = bounded(reader.unsigned(), 6, 'bit_depth_chroma_minus8') + 8;
  reader.bit();
  if (reader.flag()) skipScalingMatrix(reader, chromaFormat === 3 ? 12 : 8);
  return { chromaFormat, bitDepth: Math.max(luma, chroma), separatePlanes };
}

/** Section 7.3.2.1.1.1. */
function skipScalingMatrix(reader: BitReader, lists: number): void {
  for (let list = 0; list < lists; list += 1) {
    if (!reader.flag()) continue;
    const size = list < 6 ? 16 : 64;
    let last = 8;
    let next = 8;
    for (let index = 0; index < size && next !== 0; index += 1) {
      next = (last + reader.signed() + 256) % 256;
      last = next === 0 ? last : next;
    }
  }
}

function skipPictureOrderCount(reader: BitReader): void {
  const type = bounded(reader.unsigned(), 2, 'pic_order_cnt_type');
  if (type === 0) {
    bounded(reader.unsigned(), 12, 'log2_max_pic_order_cnt_lsb_minus4');
  } else if (type === 1) {
    reader.bit();
    reader.signed();
    reader.signed();
    const frames = bounded(reader.unsigned(), 255, 'num_ref_frames_in_pic_order_cnt_cycle');
    for (let index = 0; index < frames; index += 1) reader.signed();
  }
}

function readCroppedSize(
  reader: BitReader,
  format: ChromaFormat,
  progressive: boolean,
  widthInMacroblocks: number,
  heightInMapUnits: number,
): { readonly width: number; readonly height: number } {
  const fields = progressive ? 1 : 2;
  const codedWidth = widthInMacroblocks * 16;
  const codedHeight = heightInMapUnits * 16 * fields;
  if (codedWidth > MAX_DIMENSION || codedHeight > MAX_DIMENSION) {
    throw new CodecConfigError(`the SPS has a size of ${codedWidth}x${codedHeight}, wanted at most ${MAX_DIMENSION}`);
  }
  if (!reader.flag()) return { width: codedWidth, height: codedHeight };
  // Equations 7-19 to 7-22: crop units are chroma samples, and field pairs when fields may be coded.
  const subsampled = !format.separatePlanes && format.chromaFormat !== 0;
  const unitX = subsampled && format.chromaFormat !== 3 ? 2 : 1;
  const unitY = (subsampled && format.chromaFormat === 1 ? 2 : 1) * fields;
  const horizontal = (reader.unsigned() + reader.unsigned()) * unitX;
  const vertical = (reader.unsigned() + reader.unsigned()) * unitY;
  if (horizontal >= codedWidth || vertical >= codedHeight) {
    throw new CodecConfigError(
      `the SPS crops ${horizontal}x${vertical} of ${codedWidth}x${codedHeight}: nothing is left`,
    );
  }
  return { width: codedWidth - horizontal, height: codedHeight - vertical };
}

type Vui = Pick<SequenceParameterSet, 'sampleAspectRatio' | 'frameRate' | 'reorderFrames'>;

const NO_VUI: Vui = { sampleAspectRatio: 1, frameRate: undefined, reorderFrames: undefined };

/** Annex E.1.1. */
function readVui(reader: BitReader): Vui {
  let sampleAspectRatio = 1;
  if (reader.flag()) {
    const idc = reader.bits(8);
    const [width, height] =
      idc === EXTENDED_SAR ? [reader.bits(16), reader.bits(16)] : (SAMPLE_ASPECT_RATIOS[idc] ?? [1, 1]);
    if (width > 0 && height > 0) sampleAspectRatio = width / height;
  }
  if (reader.flag()) reader.bit();
  if (reader.flag()) {
    reader.bits(4);
    if (reader.flag()) reader.bits(24);
  }
  if (reader.flag()) {
    reader.unsigned();
    reader.unsigned();
  }
  const frameRate = reader.flag() ? readFrameRate(reader) : undefined;
  return { sampleAspectRatio, frameRate, reorderFrames: readReorderFrames(reader) };
}

function readFrameRate(reader: BitReader): number | undefined {
  const unitsInTick = reader.bits(32);
  const timeScale = reader.bits(32);
  reader.bit();
  // A frame lasts two ticks (section E.2.1, table E-6).
  return unitsInTick > 0 && timeScale > 0 ? timeScale / (2 * unitsInTick) : undefined;
}

/** The end of the VUI. Some encoders cut it off: then it says nothing. */
function readReorderFrames(reader: BitReader): number | undefined {
  try {
    const nalHrd = reader.flag();
    if (nalHrd) skipHrd(reader);
    const vclHrd = reader.flag();
    if (vclHrd) skipHrd(reader);
    if (nalHrd || vclHrd) reader.bit();
    reader.bit();
    if (!reader.flag()) return undefined;
    reader.bit();
    for (let field = 0; field < 4; field += 1) reader.unsigned();
    const frames = reader.unsigned();
    return frames <= MAX_REORDER_FRAMES ? frames : undefined;
  } catch (error) {
    if (error instanceof CodecConfigError) return undefined;
    throw error;
  }
}

/** Annex E.1.2. */
function skipHrd(reader: BitReader): void {
  const schedules = bounded(reader.unsigned(), 31, 'cpb_cnt_minus1') + 1;
  reader.bits(8);
  for (let schedule = 0; schedule < schedules; schedule += 1) {
    reader.unsigned();
    reader.unsigned();
    reader.bit();
  }
  reader.bits(20);
}
