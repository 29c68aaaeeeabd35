/**
 * Splits an aggregate message (RTMP 1.0 section 7.1.6) into the messages that it holds.
 */
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

const HEADER_BYTES = 11;
const BACK_POINTER_BYTES = 4;
const MAX_MESSAGES = 4096;

export interface SubMessage {
  readonly type: number;
  /** 32 bits, ms. */
  readonly timestamp: number;
  /** A view into the aggregate. */
  readonly body: Buffer;
}

/**
 * @param timestamp of the aggregate: its distance to the first sub-message's is added to all of them
 * @throws RtmpProtocolError when a sub-message is truncated
 */
export function splitAggregate(aggregate: Buffer, timestamp: number): SubMessage[] {
  const messages: SubMessage[] = [];
  let shift: number | undefined;
  let offset = 0;
  while (offset < aggregate.length) {
    const length = offset + HEADER_BYTES <= aggregate.length ? aggregate.readUIntBE(offset + 1, 3) : Infinity;
    const end = offset + HEADER_BYTES + length;
    // The last back pointer is missing in some encoders' messages.
    if (end > aggregate.length) {
      throw new RtmpProtocolError('chunk', `aggregate of ${aggregate.length} bytes is truncated at byte ${offset}`);
    }
    if (messages.length === MAX_MESSAGES) {
      throw new RtmpProtocolError('flood', `aggregate of more than ${MAX_MESSAGES} messages`);
    }
    // Three bytes, then the upper eight bits, as in FLV.
    const own = (aggregate.readUIntBE(offset + 4, 3) + (aggregate[offset + 7] ?? 0) * 0x1000000) >>> 0;
    shift ??= timestamp - own;
    messages.push({
      type: aggregate[offset] ?? 0,
      timestamp: (own + shift) >>> 0,
      body: aggregate.subarray(offset + HEADER_BYTES, end),
    });
    offset = end + BACK_POINTER_BYTES;
  }
  return messages;
}
