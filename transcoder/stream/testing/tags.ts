/**
 * Media tags of a publisher, as small as they can be.
 */
import type { MediaTag } from '../../flv/media_tag.ts';

/** 1280x720 at 30 frames per second, High profile: the AVC sequence header of x264. */
const AVC_CONFIG = Buffer.from(
  '0164001fffe1001b6764001facd9405005bb016a02020280000003008000001e478c18cb01000668ebe3cb22c0fdf8f800',
  'hex',
);

export function videoHeader(timestampMs = 0, config: Buffer = AVC_CONFIG): MediaTag {
  return { kind: 'video', timestampMs, body: Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), config]) };
}

export function videoFrame(timestampMs: number, keyFrame: boolean): MediaTag {
  return {
    kind: 'video',
    timestampMs,
    body: Buffer.from([keyFrame ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 1, keyFrame ? 0x65 : 0x41]),
  };
}

/** AAC, 48 kHz, stereo. */
export function audioHeader(timestampMs = 0): MediaTag {
  return { kind: 'audio', timestampMs, body: Buffer.from([0xaf, 0, 0x11, 0x90]) };
}

export function audioFrame(timestampMs: number): MediaTag {
  return { kind: 'audio', timestampMs, body: Buffer.from([0xaf, 1, 0x21, 0x10]) };
}
