/**
 * Writes FLV (video_file_format_spec_v10_1, E.2 to E.4) for FFmpeg's stdin: the header, and runs of tags as one buffer,
 * so that what arrived together costs one write.
 */
import type { MediaTag } from './media_tag.ts';

const TAG_TYPE = { audio: 8, video: 9, metadata: 18 } as const;
const TAG_HEADER_BYTES = 11;
/** Each tag is followed by its own size, and FFmpeg's demuxer waits for that before it hands out the frame. */
const PREVIOUS_TAG_SIZE_BYTES = 4;
export const TAG_OVERHEAD_BYTES = TAG_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES;
/** DataSize is UI24 (E.4.1). */
const MAX_BODY_BYTES = 0xff_ff_ff;

/**
 * File header and PreviousTagSize0. The flags must be true: FFmpeg waits for a track that is announced, and does not
 * find one that is not.
 */
export function flvHeader(tracks: { readonly audio: boolean; readonly video: boolean }): Buffer {
  const flags = (tracks.audio ? 4 : 0) | (tracks.video ? 1 : 0);
  return Buffer.from([0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]);
}

/**
 * All tags in one new buffer, each followed by its PreviousTagSize. Timestamps wrap at 2^32 ms as in the file format;
 * negative ones become 0.
 * @throws RangeError when a body exceeds the 16 MiB that the format can express
 */
export function flvTags(tags: readonly MediaTag[]): Buffer {
  let size = 0;
  for (const tag of tags) {
    if (tag.body.length > MAX_BODY_BYTES) {
      throw new RangeError(`an FLV tag of ${tag.body.length} bytes, wanted at most ${MAX_BODY_BYTES}`);
    }
    size += tag.body.length + TAG_OVERHEAD_BYTES;
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const tag of tags) at = writeTag(out, at, tag);
  return out;
}

function writeTag(out: Buffer, at: number, tag: MediaTag): number {
  const timestamp = Math.max(0, Math.round(tag.timestampMs)) % 2 ** 32;
  out.writeUInt8(TAG_TYPE[tag.kind], at);
  out.writeUIntBE(tag.body.length, at + 1, 3);
  out.writeUIntBE(timestamp % 2 ** 24, at + 4, 3);
  out.writeUInt8(Math.floor(timestamp / 2 ** 24), at + 7);
  out.writeUIntBE(0, at + 8, 3);
  tag.body.copy(out, at + TAG_HEADER_BYTES);
  const end = at + TAG_HEADER_BYTES + tag.body.length;
  out.writeUInt32BE(TAG_HEADER_BYTES + tag.body.length, end);
  return end + PREVIOUS_TAG_SIZE_BYTES;
}
