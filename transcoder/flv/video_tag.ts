/**
 * What a video tag's body says about itself before anything decodes it: codec, key frame, header or frame. Knows the
 * classic tags (video_file_format_spec_v10_1, E.4.3) and enhanced RTMP's (veovera/enhanced-rtmp v2, "Enhanced Video").
 */

export type VideoCodec =
  | 'h264'
  | 'hevc'
  | 'av1'
  | 'vp8'
  | 'vp9'
  | 'vvc'
  | 'sorenson-h263'
  | 'screen-video'
  | 'vp6'
  | 'unknown';

export interface VideoTag {
  readonly codec: VideoCodec;
  /** `other`: metadata, multitrack and what else carries no frame of the one video track. */
  readonly packet: 'sequence-header' | 'frame' | 'sequence-end' | 'other';
  /** True for a frame from which decoding can start. */
  readonly keyFrame: boolean;
  /** Presentation minus decoding time, ms; may be negative. */
  readonly compositionTimeMs: number;
  /** True when the tag uses enhanced RTMP's header, which FFmpeg reads from 6.1 on. */
  readonly enhanced: boolean;
  /** The codec's own bytes, a view into the body: decoder configuration or length-prefixed NAL units. */
  readonly data: Buffer;
}

const CLASSIC_CODECS: ReadonlyMap<number, VideoCodec> = new Map([
  [2, 'sorenson-h263'],
  [3, 'screen-video'],
  [4, 'vp6'],
  [5, 'vp6'],
  [6, 'screen-video'],
  [7, 'h264'],
  // Not in Adobe's specification: what Chinese CDNs agreed on.
  [12, 'hevc'],
  [13, 'av1'],
]);

const FOUR_CC_CODECS: ReadonlyMap<string, VideoCodec> = new Map([
  ['avc1', 'h264'],
  ['hvc1', 'hevc'],
  ['vvc1', 'vvc'],
  ['av01', 'av1'],
  ['vp08', 'vp8'],
  ['vp09', 'vp9'],
]);

const KEY_FRAME = 1;
/** "Generated key frame": reserved for servers, yet a key frame. */
const GENERATED_KEY_FRAME = 4;
/** Frame type 5 carries a seek command and no frame (E.4.3.1). */
const COMMAND_FRAME = 5;

/** @returns undefined when the body is too short to be a video tag */
export function inspectVideoTag(body: Buffer): VideoTag | undefined {
  const first = body[0];
  if (first === undefined) return undefined;
  return (first & 0x80) === 0 ? inspectClassic(body, first) : inspectEnhanced(body, first);
}

function inspectClassic(body: Buffer, first: number): VideoTag | undefined {
  const frameType = first >> 4;
  const keyFrame = frameType === KEY_FRAME || frameType === GENERATED_KEY_FRAME;
  const codec = CLASSIC_CODECS.get(first & 0x0f) ?? 'unknown';
  const base = { codec, enhanced: false } as const;
  if (frameType === COMMAND_FRAME) {
    return { ...base, packet: 'other', keyFrame: false, compositionTimeMs: 0, data: body.subarray(1) };
  }
  if (codec !== 'h264' && codec !== 'hevc' && codec !== 'av1') {
    return { ...base, packet: 'frame', keyFrame, compositionTimeMs: 0, data: body.subarray(1) };
  }
  if (body.length < 5) return undefined;
  const data = body.subarray(5);
  const packetType = body[1];
  const packet =
    packetType === 0 ? 'sequence-header' : packetType === 1 ? 'frame' : packetType === 2 ? 'sequence-end' : 'other';
  return {
    ...base,
    packet,
    keyFrame: packet === 'frame' && keyFrame,
    compositionTimeMs: packet === 'frame' ? body.readIntBE(2, 3) : 0,
    data,
  };
}

function inspectEnhanced(body: Buffer, first: number): VideoTag | undefined {
  if (body.length < 5) return undefined;
  const keyFrame = ((first >> 4) & 7) === KEY_FRAME || ((first >> 4) & 7) === GENERATED_KEY_FRAME;
  const packetType = first & 0x0f;
  // Multitrack and ModEx put other bytes before the FourCC: such a tag is named unknown, never misread.
  const plain = packetType <= 5;
  const codec = plain ? (FOUR_CC_CODECS.get(body.toString('latin1', 1, 5)) ?? 'unknown') : 'unknown';
  const base = { codec, enhanced: true } as const;
  if (packetType === 0 || packetType === 2) {
    const packet = packetType === 0 ? 'sequence-header' : 'sequence-end';
    return { ...base, packet, keyFrame: false, compositionTimeMs: 0, data: body.subarray(5) };
  }
  if (packetType === 1 && (codec === 'h264' || codec === 'hevc' || codec === 'vvc')) {
    if (body.length < 8) return undefined;
    return { ...base, packet: 'frame', keyFrame, compositionTimeMs: body.readIntBE(5, 3), data: body.subarray(8) };
  }
  if (packetType === 1 || packetType === 3) {
    return { ...base, packet: 'frame', keyFrame, compositionTimeMs: 0, data: body.subarray(5) };
  }
  return { ...base, packet: 'other', keyFrame: false, compositionTimeMs: 0, data: body.subarray(5) };
}

/**
 * The classic body of an H.264 tag, which every FFmpeg reads: the same buffer when it is classic already, a copy when
 * it came with an enhanced header.
 */
export function classicAvcBody(tag: VideoTag, body: Buffer): Buffer {
  if (!tag.enhanced) return body;
  const header = Buffer.alloc(5);
  header.writeUInt8((tag.keyFrame || tag.packet !== 'frame' ? 0x10 : 0x20) | 7, 0);
  header.writeUInt8(tag.packet === 'sequence-header' ? 0 : tag.packet === 'frame' ? 1 : 2, 1);
  header.writeIntBE(tag.compositionTimeMs, 2, 3);
  return Buffer.concat([header, tag.data]);
}
