/**
 * Reads H.264's AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1), the body of an AVC sequence header,
 * and the first sequence parameter set in it.
 */
import { CodecConfigError } from './codec_config_error.ts';
import { parseSequenceParameterSet } from './avc_sequence_parameter_set.ts';
import type { SequenceParameterSet } from './avc_sequence_parameter_set.ts';

export interface AvcConfig extends SequenceParameterSet {
  /** RFC 6381 section 3.3: `avc1.` and profile, constraints and level of the SPS as six hex digits. */
  readonly codecString: string;
  /** Bytes of the length before each NAL unit: 1, 2 or 4. */
  readonly nalLengthSize: number;
}

const SPS_NAL_TYPE = 7;

/** @throws CodecConfigError when the bytes are not a record with at least one valid SPS */
export function parseAvcConfig(record: Buffer): AvcConfig {
  if (record.length < 8) throw new CodecConfigError(`the AVC header has ${record.length} bytes, wanted at least 8`);
  if (record[0] !== 1) throw new CodecConfigError(`the AVC header has version ${record[0]}, wanted 1`);
  const nalLengthSize = (record.readUInt8(4) & 3) + 1;
  if (nalLengthSize === 3) throw new CodecConfigError('the AVC header has a NAL length size of 3, wanted 1, 2 or 4');
  const spsCount = record.readUInt8(5) & 0x1f;
  if (spsCount === 0) throw new CodecConfigError('the AVC header has no sequence parameter set');
  const spsLength = record.readUInt16BE(6);
  const sps = record.subarray(8, 8 + spsLength);
  if (sps.length < spsLength || spsLength < 4) throw new CodecConfigError('the AVC header is cut off in its SPS');
  if ((sps.readUInt8(0) & 0x1f) !== SPS_NAL_TYPE) {
    throw new CodecConfigError(`the AVC header has NAL type ${sps.readUInt8(0) & 0x1f} where an SPS (7) is wanted`);
  }
  return {
    ...parseSequenceParameterSet(sps),
    codecString: `avc1.${sps.toString('hex', 1, 4)}`,
    nalLengthSize,
  };
}
