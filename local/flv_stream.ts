/**
 * Reads FLV from a pipe as it comes, into the media tags that ingest would have delivered
 * (video_file_format_spec_v10_1, E.2 to E.4).
 */
import type { MediaTag } from '../transcoder/flv/media_tag.ts';

const FILE_HEADER_BYTES = 9 + 4;
const TAG_HEADER_BYTES = 11;
const PREVIOUS_TAG_SIZE_BYTES = 4;
const KINDS: ReadonlyMap<number, MediaTag['kind']> = new Map([
  [8, 'audio'],
  [9, 'video'],
  [18, 'metadata'],
]);

export class FlvStream {
  readonly #onTag: (tag: MediaTag) => void;
  #rest: Buffer = Buffer.alloc(0);
  #headerRead = false;

  constructor(onTag: (tag: MediaTag) => void) {
    this.#onTag = onTag;
  }

  push(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#headerRead && bytes.length >= FILE_HEADER_BYTES) {
      this.#headerRead = true;
      bytes = bytes.subarray(FILE_HEADER_BYTES);
    }
    while (this.#headerRead && bytes.length >= TAG_HEADER_BYTES) {
      const size = bytes.readUIntBE(1, 3);
      const end = TAG_HEADER_BYTES + size + PREVIOUS_TAG_SIZE_BYTES;
      if (bytes.length < end) break;
      const kind = KINDS.get(bytes.readUInt8(0) & 0x1f);
      const timestampMs = bytes.readUIntBE(4, 3) + bytes.readUInt8(7) * 0x1000000;
      const body = bytes.subarray(TAG_HEADER_BYTES, TAG_HEADER_BYTES + size);
      if (kind !== undefined) this.#onTag({ kind, timestampMs, body });
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }
}
