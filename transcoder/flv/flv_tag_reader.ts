/**
 * Reads FLV as it comes out of a pipe (video_file_format_spec_v10_1, E.2 to E.4) into media tags.
 */
import type { MediaTag } from './media_tag.ts';

const FILE_HEADER_BYTES = 9;
const PREVIOUS_TAG_SIZE_BYTES = 4;
const TAG_HEADER_BYTES = 11;
const KINDS: ReadonlyMap<number, MediaTag['kind']> = new Map([
  [8, 'audio'],
  [9, 'video'],
  [18, 'metadata'],
]);

export class FlvTagReader {
  readonly #onTag: (tag: MediaTag) => void;
  #rest: Buffer = Buffer.alloc(0);
  #headerRead = false;

  constructor(onTag: (tag: MediaTag) => void) {
    this.#onTag = onTag;
  }

  /** Takes the next bytes, cut anywhere. @throws Error when it is not FLV */
  push(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = this.#headerRead ? 0 : this.#readHeader(data);
    for (;;) {
      const size = at + TAG_HEADER_BYTES <= data.length && this.#headerRead ? data.readUIntBE(at + 1, 3) : undefined;
      if (size === undefined) break;
      const start = at + TAG_HEADER_BYTES;
      const next = start + size + PREVIOUS_TAG_SIZE_BYTES;
      if (next > data.length) break;
      const kind = KINDS.get(data.readUInt8(at) & 0x1f);
      // TimestampExtended is the upper byte (E.4.1).
      const timestampMs = data.readUIntBE(at + 4, 3) + data.readUInt8(at + 7) * 2 ** 24;
      // A copy: the receiver may keep it, and must not keep the whole read alive.
      if (kind !== undefined) this.#onTag({ kind, timestampMs, body: Buffer.from(data.subarray(start, start + size)) });
      at = next;
    }
    this.#rest = data.subarray(at);
  }

  #readHeader(data: Buffer): number {
    if (data.length < FILE_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES) return 0;
    if (data.toString('latin1', 0, 3) !== 'FLV') throw new Error('not FLV');
    this.#headerRead = true;
    return data.readUInt32BE(5) + PREVIOUS_TAG_SIZE_BYTES;
  }
}
