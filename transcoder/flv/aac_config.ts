/**
 * Reads AAC's AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1), the body of an AAC sequence header.
 */
import { BitReader } from './bit_reader.ts';
import { CodecConfigError } from './codec_config_error.ts';

export interface AacConfig {
  /** 2 is AAC-LC, 5 SBR (HE-AAC), 29 PS (HE-AAC v2). */
  readonly objectType: number;
  /** Hz as decoded: SBR's doubled rate when it is signalled. */
  readonly sampleRate: number;
  /** 0 when the channels are described inside of the stream (program config element). */
  readonly channels: number;
}

const SAMPLE_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350] as const;
/** Index: channelConfiguration (table 1.19). */
const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 8] as const;
const EXPLICIT_RATE = 15;
const SBR = 5;
const PS = 29;

/** @throws CodecConfigError when the bytes are not an AudioSpecificConfig that can be decoded */
export function parseAacConfig(data: Uint8Array): AacConfig {
  const reader = new BitReader(data);
  const objectType = readObjectType(reader);
  if (objectType === 0) throw new CodecConfigError('AAC object type 0 is reserved');
  let sampleRate = readSampleRate(reader);
  const channelConfiguration = reader.bits(4);
  let channels = CHANNELS[channelConfiguration];
  if (channels === undefined) {
    throw new CodecConfigError(`AAC channel configuration ${channelConfiguration} is reserved`);
  }
  if (objectType === SBR || objectType === PS) sampleRate = readSampleRate(reader);
  if (objectType === PS && channels === 1) channels = 2;
  return { objectType, sampleRate, channels };
}

function readObjectType(reader: BitReader): number {
  const objectType = reader.bits(5);
  return objectType === 31 ? 32 + reader.bits(6) : objectType;
}

function readSampleRate(reader: BitReader): number {
  const index = reader.bits(4);
  const rate = index === EXPLICIT_RATE ? reader.bits(24) : SAMPLE_RATES[index];
  if (rate === undefined || rate < 4000 || rate > 192_000) {
    throw new CodecConfigError(`AAC sample rate index ${index} gives no rate from 4 to 192 kHz`);
  }
  return rate;
}
