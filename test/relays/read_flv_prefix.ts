/**
 * Reads the whole tags of an FLV file that is still being written.
 */
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';

const KINDS: ReadonlyMap<number, MediaTag['kind']> = new Map([
  [8, 'audio'],
  [9, 'video'],
  [18, 'metadata'],
]);

/** @returns the tags up to the first one that is cut off */
export function readFlvPrefix(file: Buffer): MediaTag[] {
  const tags: MediaTag[] = [];
  let at = 13;
  while (at + 11 <= file.length) {
    const size = file.readUIntBE(at + 1, 3);
    if (at + 11 + size > file.length) break;
    const kind = KINDS.get(file.readUInt8(at) & 0x1f);
    const timestampMs = file.readUIntBE(at + 4, 3) + file.readUInt8(at + 7) * 0x1000000;
    if (kind !== undefined) tags.push({ kind, timestampMs, body: file.subarray(at + 11, at + 11 + size) });
    at += 11 + size + 4;
  }
  return tags;
}
