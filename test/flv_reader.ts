/**
 * Reads an FLV file into the media tags that ingest would have delivered, for tests that feed recorded or generated
 * sources (video_file_format_spec_v10_1, E.2 to E.4). It trusts its input less than a test needs to: a cut-off last
 * tag is an error, not silence.
 */
import { readFileSync } from 'node:fs';
import type { MediaTag } from '../transcoder/flv/media_tag.ts';

const HEADER_BYTES = 9;
const TAG_HEADER_BYTES = 11;
const PREVIOUS_TAG_SIZE_BYTES = 4;
const KINDS: ReadonlyMap<number, MediaTag['kind']> = new Map([
  [8, 'audio'],
  [9, 'video'],
  [18, 'metadata'],
]);

/** @throws Error when the bytes are not a whole FLV file. */
export function readFlv(file: Buffer): MediaTag[] {
  if (file.length < HEADER_BYTES || file.toString('latin1', 0, 3) !== 'FLV') throw new Error('not an FLV file');
  const tags: MediaTag[] = [];
  let at = file.readUInt32BE(5) + PREVIOUS_TAG_SIZE_BYTES;
  while (at + TAG_HEADER_BYTES <= file.length) {
    const kind = KINDS.get(file.readUInt8(at) & 0x1f);
    const size = file.readUIntBE(at + 1, 3);
    // TimestampExtended is the upper byte (E.4.1).
    const timestampMs = file.readUIntBE(at + 4, 3) + file.readUInt8(at + 7) * 0x1000000;
    const start = at + TAG_HEADER_BYTES;
    if (start + size > file.length) throw new Error(`tag at byte ${at} is cut off`);
    if (kind !== undefined) tags.push({ kind, timestampMs, body: file.subarray(start, start + size) });
    at = start + size + PREVIOUS_TAG_SIZE_BYTES;
  }
  return tags;
}

/** @throws Error when the file cannot be read or is not a whole FLV file. */
export function readFlvFile(path: string): MediaTag[] {
  return readFlv(readFileSync(path));
}
