/**
 * What one epoch's FFmpeg is asked to make, derived from what the publisher sends.
 */
import type { RenditionName } from '../../contracts/ids.ts';

/** An exact rate, frames per second: `30000/1001`. */
export interface FrameRate {
  readonly numerator: number;
  readonly denominator: number;
}

export interface VideoSource {
  readonly codec: 'h264';
  /** Pixels after cropping, as displayed. */
  readonly width: number;
  readonly height: number;
  /** RFC 6381 string of the source's own bitstream, such as `avc1.64001f`. */
  readonly codecString: string;
  /** True when any browser can play the bitstream as it is: 8 bit, 4:2:0, profile up to High, progressive. */
  readonly passThrough: boolean;
  readonly frameRate: FrameRate;
}

export interface AudioSource {
  readonly codec: 'aac' | 'mp3' | 'other';
  readonly sampleRate: number;
  readonly channels: number;
}

/** What arrives. At least one of the two is there. */
export interface SourceDescription {
  readonly video?: VideoSource;
  readonly audio?: AudioSource;
  /** Video bits per second: declared by the metadata or measured; undefined when unknown. */
  readonly videoBitrate?: number;
}

export interface RenditionPlan {
  readonly name: RenditionName;
  /** Pixels, even; absent for audio alone. */
  readonly resolution?: { readonly width: number; readonly height: number };
  readonly mode: 'copy' | 'encode' | 'audio';
  /** Bits per second. For `copy` what the source is expected to send. */
  readonly videoBitrate: number;
  readonly maxRate: number;
  /** VBV buffer, bits. */
  readonly bufferSize: number;
  readonly audioBitrate: number;
}

export interface EncodePlan {
  /** Ascending. At least one. */
  readonly renditions: readonly RenditionPlan[];
  /** Undefined for audio alone. */
  readonly frameRate?: FrameRate;
  /** True when a rendition is copied: all others then keep the source's frames and cut at its key frames. */
  readonly followsSource: boolean;
  /** Frames between key frames of an encoded ladder that does not follow the source. */
  readonly gopFrames: number;
  /** Frames per part; for audio alone, here and in `gopFrames`, AAC frames of 1024 samples at 48 kHz. */
  readonly partFrames: number;
  /** Distinct AAC encodes, bits per second, ascending; a rendition uses the one of its `audioBitrate`. */
  readonly audioBitrates: readonly number[];
  /** False: the source has no audio, the packager fills in silence. */
  readonly hasAudio: boolean;
}
