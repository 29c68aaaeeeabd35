/**
 * Cuts RTMP messages into chunks (RTMP 1.0 section 5.3.1). Every message begins with a type 0 header: the bytes depend
 * on nothing that was sent before, so that the same buffer goes to every target, whenever it joined.
 */

export interface OutgoingMessage {
  readonly type: number;
  readonly chunkStreamId: number;
  readonly messageStreamId: number;
  /** ms; sent modulo 2^32. */
  readonly timestampMs: number;
  readonly body: Buffer;
}

/** RTMP's own, until another is announced. */
export const DEFAULT_CHUNK_SIZE = 128;
/** What OBS announces: every service is used to it. */
export const RELAY_CHUNK_SIZE = 4096;

/** Basic header, timestamp, length, type, message stream id. */
const TYPE_0_BYTES = 12;
const EXTENDED = 0xff_ff_ff;
const EXTENDED_BYTES = 4;
const CONTINUATION = 0xc0;

/** Bytes of the message with its chunk headers. */
export function chunkedLength(message: OutgoingMessage, chunkSize: number): number {
  const extended = wireTimestamp(message) >= EXTENDED ? EXTENDED_BYTES : 0;
  const continuations = Math.max(0, Math.ceil(message.body.length / chunkSize) - 1);
  return TYPE_0_BYTES + extended + message.body.length + continuations * (1 + extended);
}

/** Writes the message at `at`. @returns where it ends */
export function writeChunks(out: Buffer, at: number, message: OutgoingMessage, chunkSize: number): number {
  const { type, chunkStreamId, messageStreamId, body } = message;
  const timestamp = wireTimestamp(message);
  const isExtended = timestamp >= EXTENDED;
  out.writeUInt8(chunkStreamId, at);
  out.writeUIntBE(isExtended ? EXTENDED : timestamp, at + 1, 3);
  out.writeUIntBE(body.length, at + 4, 3);
  out.writeUInt8(type, at + 7);
  out.writeUInt32LE(messageStreamId, at + 8);
  let end = at + TYPE_0_BYTES;
  // Section 5.3.1.3: the extended timestamp stands in type 3 chunks too.
  if (isExtended) end = out.writeUInt32BE(timestamp, end);
  for (let from = 0; from < body.length; from += chunkSize) {
    if (from > 0) {
      end = out.writeUInt8(CONTINUATION | chunkStreamId, end);
      if (isExtended) end = out.writeUInt32BE(timestamp, end);
    }
    end += body.copy(out, end, from, from + chunkSize);
  }
  return end;
}

/** One message in a buffer of its own. */
export function chunked(message: OutgoingMessage, chunkSize: number): Buffer {
  const out = Buffer.allocUnsafe(chunkedLength(message, chunkSize));
  writeChunks(out, 0, message, chunkSize);
  return out;
}

function wireTimestamp({ timestampMs }: OutgoingMessage): number {
  return Math.max(0, Math.round(timestampMs)) % 2 ** 32;
}
