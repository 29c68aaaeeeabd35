/**
 * Which of a Redis cluster's 16384 slots a key lies in (Redis cluster specification, "Key distribution model"), and
 * hash tags that lie in a wanted one.
 */
export const CLUSTER_SLOTS = 16_384;

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** Only what stands between the first `{` and the next `}` counts, if anything does. */
export function clusterSlot(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  return crc16(new TextEncoder().encode(tag)) % CLUSTER_SLOTS;
}

const tags = new Map<number, string>();

/** A short hash tag in that slot; the same one every time. */
export function tagInSlot(slot: number): string {
  for (let number = tags.size; !tags.has(slot); number += 1) {
    const tag = number.toString(36);
    const found = clusterSlot(tag);
    if (!tags.has(found)) tags.set(found, tag);
    if (found === slot) break;
  }
  return tags.get(slot) ?? '';
}
