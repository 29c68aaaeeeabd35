/**
 * Takes the FLV script tag out of an RTMP data message.
 */
import { Amf0Reader } from './amf0_reader.ts';
import type { Amf0Limits } from './amf0_reader.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

/**
 * @param body AMF0 `["@setDataFrame",] "onMetaData", value`
 * @returns the body from "onMetaData" on, a view; undefined when it is another message or not well-formed: a stream
 *   plays without metadata, so that is no reason to close it
 */
export function metadataBody(body: Buffer, limits: Amf0Limits): Buffer | undefined {
  try {
    const reader = new Amf0Reader(body, limits);
    let name = reader.readValue();
    let start = 0;
    if (name === '@setDataFrame') {
      start = reader.offset;
      name = reader.readValue();
    }
    if (name !== 'onMetaData') return undefined;
    reader.readValue();
    return body.subarray(start, reader.offset);
  } catch (error) {
    if (error instanceof RtmpProtocolError) return undefined;
    throw error;
  }
}
