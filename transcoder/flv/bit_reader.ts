/**
 * Reads bit fields and exp-Golomb codes from bytes that may be hostile: every read is bounded, the end of the data is
 * a CodecConfigError and never a silent zero.
 */
import { CodecConfigError } from './codec_config_error.ts';

/** Longest exp-Golomb prefix that a 32-bit value can have (ITU-T H.264 section 9.1). */
const MAX_PREFIX_ZEROS = 31;

export class BitReader {
  readonly #data: Uint8Array;
  #position = 0;

  /** @param data not copied */
  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get bitsLeft(): number {
    return this.#data.length * 8 - this.#position;
  }

  /** @throws CodecConfigError at the end of the data */
  bit(): number {
    const byte = this.#data[this.#position >> 3];
    if (byte === undefined) throw new CodecConfigError('the codec header is cut off');
    const value = (byte >> (7 - (this.#position & 7))) & 1;
    this.#position += 1;
    return value;
  }

  flag(): boolean {
    return this.bit() === 1;
  }

  /** An unsigned field of 0 to 32 bits. */
  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index += 1) value = value * 2 + this.bit();
    return value;
  }

  /** ue(v), ITU-T H.264 section 9.1. */
  unsigned(): number {
    let zeros = 0;
    while (this.bit() === 0) {
      zeros += 1;
      if (zeros > MAX_PREFIX_ZEROS) throw new CodecConfigError('an exp-Golomb code is longer than 32 bits');
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v), ITU-T H.264 section 9.1.1. */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -(code / 2);
  }
}
