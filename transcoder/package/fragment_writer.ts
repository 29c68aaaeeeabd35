/**
 * Writes one CMAF chunk: a `moof` with a track fragment per track, and one `mdat` with all their samples
 * (ISO/IEC 14496-12 section 8.8, ISO/IEC 23000-19 section 7.3.2.3).
 */
export interface FragmentSample {
  /** Ticks of the track's timescale. */
  readonly duration: number;
  /** Presentation time minus decoding time, ticks; may be negative. */
  readonly compositionOffset: number;
  readonly keyframe: boolean;
  readonly data: Buffer;
}

export interface FragmentTrack {
  readonly trackId: number;
  /** Decoding time of the first sample, ticks. */
  readonly baseDecodeTime: number;
  /** `video` writes flags and composition offsets per sample; every sample of `audio` is a sync sample. */
  readonly kind: 'video' | 'audio';
  readonly samples: readonly FragmentSample[];
}

/** sample_depends_on 2: an I picture that depends on nothing. */
const SYNC_SAMPLE = 0x0200_0000;
/** sample_depends_on 1, sample_is_non_sync_sample. */
const NON_SYNC_SAMPLE = 0x0101_0000;

const MFHD_BYTES = 16;
/** traf header 8, tfhd 20, tfdt 20, trun header 20. */
const TRAF_BYTES = 68;

function sampleBytes(kind: FragmentTrack['kind']): number {
  return kind === 'video' ? 16 : 8;
}

/** Copies each sample once, into the returned buffer. Tracks without samples are left out. */
export function writeFragment(sequenceNumber: number, tracks: readonly FragmentTrack[]): Buffer {
  const filled = tracks.filter((track) => track.samples.length > 0);
  let moofBytes = 8 + MFHD_BYTES;
  let mediaBytes = 0;
  for (const track of filled) {
    moofBytes += TRAF_BYTES + track.samples.length * sampleBytes(track.kind);
    for (const sample of track.samples) mediaBytes += sample.data.length;
  }
  const target = Buffer.allocUnsafeSlow(moofBytes + 8 + mediaBytes);
  const writer = new BoxCursor(target);
  writer.header(moofBytes, 'moof');
  writer.header(MFHD_BYTES, 'mfhd');
  writer.words(0, sequenceNumber);
  let dataOffset = moofBytes + 8;
  for (const track of filled) {
    writeTrack(writer, track, dataOffset);
    for (const sample of track.samples) dataOffset += sample.data.copy(target, dataOffset);
  }
  writer.header(8 + mediaBytes, 'mdat');
  return target;
}

function writeTrack(writer: BoxCursor, track: FragmentTrack, dataOffset: number): void {
  const perSample = sampleBytes(track.kind);
  const trunBytes = 20 + track.samples.length * perSample;
  writer.header(TRAF_BYTES - 20 + trunBytes, 'traf');
  writer.header(20, 'tfhd');
  // default-base-is-moof, default-sample-flags-present.
  writer.words(0x0002_0020, track.trackId, track.kind === 'audio' ? SYNC_SAMPLE : NON_SYNC_SAMPLE);
  writer.header(20, 'tfdt');
  writer.words(0x0100_0000, Math.floor(track.baseDecodeTime / 0x1_0000_0000), track.baseDecodeTime % 0x1_0000_0000);
  writer.header(trunBytes, 'trun');
  // Version 1: signed composition offsets. Data offset, duration, size; for video also flags and composition offset.
  writer.words(track.kind === 'video' ? 0x0100_0f01 : 0x0100_0301, track.samples.length, dataOffset);
  for (const sample of track.samples) {
    writer.words(sample.duration, sample.data.length);
    if (track.kind === 'video') {
      writer.words(sample.keyframe ? SYNC_SAMPLE : NON_SYNC_SAMPLE, sample.compositionOffset >>> 0);
    }
  }
}

class BoxCursor {
  readonly #target: Buffer;
  #at = 0;

  constructor(target: Buffer) {
    this.#target = target;
  }

  header(size: number, type: string): void {
    this.#at = this.#target.writeUInt32BE(size, this.#at);
    this.#at += this.#target.write(type, this.#at, 'latin1');
  }

  words(...values: readonly number[]): void {
    for (const value of values) this.#at = this.#target.writeUInt32BE(value, this.#at);
  }
}
