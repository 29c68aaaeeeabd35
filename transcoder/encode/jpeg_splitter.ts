/**
 * Cuts a byte stream of JPEG pictures, one after the other as FFmpeg's image2pipe writes them, into whole pictures.
 */

const MARKER = 0xff;
const START_OF_IMAGE = Buffer.from([0xff, 0xd8]);
/** In JPEG's entropy-coded data 0xff is always followed by 0x00 or a restart marker (ITU-T T.81 section B.1.1.5), and FFmpeg writes no thumbnail into its headers. */
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
/** A larger one is dropped: nothing that is made here comes near. */
const MAX_BYTES = 4 * 1024 * 1024;

export class JpegSplitter {
  readonly #onPicture: (picture: Buffer) => void;
  #chunks: Buffer[] = [];
  #length = 0;

  /** @param onPicture gets a buffer of its own */
  constructor(onPicture: (picture: Buffer) => void) {
    this.#onPicture = onPicture;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    for (;;) {
      const end = this.#endIn(rest);
      if (end === undefined) break;
      this.#keep(rest.subarray(0, end));
      this.#emit();
      rest = rest.subarray(end);
    }
    if (rest.length > 0) this.#keep(rest);
    if (this.#length > MAX_BYTES) this.#clear();
  }

  /** Index just after the end marker, which may straddle the last chunk and this one. */
  #endIn(chunk: Buffer): number | undefined {
    if (this.#chunks.at(-1)?.at(-1) === MARKER && chunk[0] === END_OF_IMAGE[1]) return 1;
    const at = chunk.indexOf(END_OF_IMAGE);
    return at < 0 ? undefined : at + END_OF_IMAGE.length;
  }

  #keep(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  #emit(): void {
    const picture = Buffer.concat(this.#chunks, this.#length);
    this.#clear();
    if (picture.subarray(0, 2).equals(START_OF_IMAGE)) this.#onPicture(picture);
  }

  #clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
