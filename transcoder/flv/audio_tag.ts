/**
 * What an audio tag's body says about itself: codec, header or frames. Knows the classic tags
 * (video_file_format_spec_v10_1, E.4.2) and enhanced RTMP's (veovera/enhanced-rtmp v2, "Enhanced Audio").
 */

export type AudioCodec =
  | 'aac'
  | 'mp3'
  | 'pcm'
  | 'adpcm'
  | 'g711'
  | 'nellymoser'
  | 'speex'
  | 'opus'
  | 'flac'
  | 'ac-3'
  | 'e-ac-3'
  | 'unknown';

export interface AudioTag {
  readonly codec: AudioCodec;
  readonly packet: 'sequence-header' | 'frames' | 'other';
  /** Hz, as the classic tag's flags say; AAC's own header overrules it. */
  readonly sampleRate: number;
  readonly channels: number;
  /** True when the tag uses enhanced RTMP's header. */
  readonly enhanced: boolean;
  /** The codec's own bytes, a view into the body. */
  readonly data: Buffer;
}

const CLASSIC_CODECS: ReadonlyMap<number, AudioCodec> = new Map([
  [0, 'pcm'],
  [1, 'adpcm'],
  [2, 'mp3'],
  [3, 'pcm'],
  [4, 'nellymoser'],
  [5, 'nellymoser'],
  [6, 'nellymoser'],
  [7, 'g711'],
  [8, 'g711'],
  [10, 'aac'],
  [11, 'speex'],
  [14, 'mp3'],
]);

const FOUR_CC_CODECS: ReadonlyMap<string, AudioCodec> = new Map([
  ['mp4a', 'aac'],
  ['.mp3', 'mp3'],
  ['Opus', 'opus'],
  ['fLaC', 'flac'],
  ['ac-3', 'ac-3'],
  ['ec-3', 'e-ac-3'],
]);

const ENHANCED = 9;
const CLASSIC_RATES = [5512, 11025, 22050, 44100] as const;
/** Formats whose rate is fixed by their number and not by the flags. */
const FIXED_RATES: ReadonlyMap<number, number> = new Map([
  [4, 16000],
  [5, 8000],
  [7, 8000],
  [8, 8000],
  [11, 16000],
  [14, 8000],
]);

/** @returns undefined when the body is too short to be an audio tag */
export function inspectAudioTag(body: Buffer): AudioTag | undefined {
  const first = body[0];
  if (first === undefined) return undefined;
  const format = first >> 4;
  if (format === ENHANCED) return inspectEnhanced(body, first);
  const codec = CLASSIC_CODECS.get(format) ?? 'unknown';
  const sampleRate = FIXED_RATES.get(format) ?? CLASSIC_RATES[(first >> 2) & 3] ?? 44100;
  const channels = (first & 1) + 1;
  if (codec !== 'aac') {
    return { codec, packet: 'frames', sampleRate, channels, enhanced: false, data: body.subarray(1) };
  }
  if (body.length < 2) return undefined;
  const packet = body[1] === 0 ? 'sequence-header' : body[1] === 1 ? 'frames' : 'other';
  return { codec, packet, sampleRate, channels, enhanced: false, data: body.subarray(2) };
}

function inspectEnhanced(body: Buffer, first: number): AudioTag | undefined {
  if (body.length < 5) return undefined;
  const packetType = first & 0x0f;
  // Multitrack (5) and ModEx (7) put other bytes before the FourCC: such a tag is named unknown, never misread.
  const codec = packetType <= 4 ? (FOUR_CC_CODECS.get(body.toString('latin1', 1, 5)) ?? 'unknown') : 'unknown';
  const packet = packetType === 0 ? 'sequence-header' : packetType === 1 ? 'frames' : 'other';
  return { codec, packet, sampleRate: 48000, channels: 2, enhanced: true, data: body.subarray(5) };
}

/** The classic body of an AAC tag, which every FFmpeg reads: the same buffer when it is classic already, else a copy. */
export function classicAacBody(tag: AudioTag, body: Buffer): Buffer {
  if (!tag.enhanced) return body;
  // AAC is always flagged 44.1 kHz, 16 bit, stereo (E.4.2.1); its own header tells the truth.
  return Buffer.concat([Buffer.from([0xaf, tag.packet === 'sequence-header' ? 0 : 1]), tag.data]);
}
