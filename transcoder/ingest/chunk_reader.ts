/**
 * Puts RTMP messages together from chunks (RTMP 1.0 section 5.3) within bounds. It stands in for the stock class's
 * `chunkRead`, which reads three-byte chunk stream ids wrongly, allocates whatever a header declares, ignores Abort,
 * loses count when the chunk size changes inside a message, and drops what is past 2^32 ms.
 */
import { MESSAGE_TYPE } from './message_type.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

export interface ChunkMessage {
  readonly type: number;
  /** 32 bits, ms. */
  readonly timestamp: number;
  readonly messageStreamId: number;
  readonly length: number;
  /** Owned by the receiver. Undefined when `startMessage` said to skip it. */
  readonly body: Buffer | undefined;
}

export interface ChunkReaderHandlers {
  /** Asked when a message begins. True: keep its body. @throws RtmpProtocolError when it may not be that long. */
  startMessage(type: number, length: number): boolean;
  message(message: ChunkMessage): void;
  /** Bytes of unfinished messages that the connection may hold now. */
  unfinishedLimit(): number;
}

interface ChunkStream {
  /** Absolute, 32 bits, ms. */
  timestamp: number;
  /** Timestamp or delta of the last header; repeated by type 3. */
  timestampField: number;
  extended: boolean;
  length: number;
  type: number;
  messageStreamId: number;
  /** A message has begun and is not complete. */
  open: boolean;
  received: number;
  body: Buffer | undefined;
}

const HEADER_BYTES = [11, 7, 3, 0] as const;
const DEFAULT_CHUNK_SIZE = 128;
const MAX_CHUNK_SIZE = 0x7fffffff;
const EXTENDED = 0xffffff;

export class ChunkReader {
  readonly #handlers: ChunkReaderHandlers;
  readonly #maxChunkStreams: number;
  readonly #streams = new Map<number, ChunkStream>();
  /** The header being read: basic header, message header, extended timestamp (at most 3 + 11 + 4 bytes). */
  readonly #header = Buffer.alloc(18);
  #headerBytes = 0;
  #chunkSize = DEFAULT_CHUNK_SIZE;
  /** The stream whose chunk payload is being read. */
  #current: ChunkStream | undefined;
  #chunkLeft = 0;
  #unfinished = 0;
  #suspended = false;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(handlers: ChunkReaderHandlers, maxChunkStreams: number) {
    this.#handlers = handlers;
    this.#maxChunkStreams = maxChunkStreams;
  }

  /** Bytes that wait for `resume`. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Stops after the message that is being handled; what follows is held. */
  suspend(): void {
    this.#suspended = true;
  }

  /** Goes on with what was held. @throws RtmpProtocolError */
  resume(): void {
    this.#suspended = false;
    while (!this.#suspended) {
      const next = this.#held.shift();
      if (next === undefined) return;
      this.#heldBytes -= next.length;
      this.#read(next);
    }
  }

  /** @throws RtmpProtocolError */
  feed(data: Buffer): void {
    if (this.#suspended) this.#hold(data);
    else this.#read(data);
  }

  #hold(data: Buffer, first = false): void {
    if (data.length === 0) return;
    if (first) this.#held.unshift(data);
    else this.#held.push(data);
    this.#heldBytes += data.length;
  }

  #read(data: Buffer): void {
    let rest = data;
    let offset = 0;
    while (offset < rest.length) {
      if (this.#suspended) {
        this.#hold(rest.subarray(offset), true);
        return;
      }
      if (this.#current === undefined) {
        const wanted = this.#headerWanted();
        const bytes = Math.min(wanted - this.#headerBytes, rest.length - offset);
        rest.copy(this.#header, this.#headerBytes, offset, offset + bytes);
        this.#headerBytes += bytes;
        offset += bytes;
        if (this.#headerBytes === wanted && this.#headerWanted() === wanted) {
          const returned = this.#finishHeader();
          if (returned !== undefined) {
            rest = Buffer.concat([returned, rest.subarray(offset)]);
            offset = 0;
          }
        }
      } else {
        offset = this.#readPayload(this.#current, rest, offset);
      }
    }
  }

  /** Length of the header as far as its bytes tell. */
  #headerWanted(): number {
    if (this.#headerBytes === 0) return 1;
    const first = this.#header[0] ?? 0;
    const basic = basicHeaderBytes(first);
    if (this.#headerBytes < basic) return basic;
    const format = first >> 6;
    const plain = basic + (HEADER_BYTES[format] ?? 0);
    if (this.#headerBytes < plain) return plain;
    const extended =
      format === 3
        ? this.#streams.get(this.#chunkStreamId(basic))?.extended === true
        : this.#header.readUIntBE(basic, 3) === EXTENDED;
    return extended ? plain + 4 : plain;
  }

  /** RTMP 1.0 section 5.3.1.1: one, two or three bytes; the third counts 256. */
  #chunkStreamId(basicBytes: number): number {
    if (basicBytes === 1) return (this.#header[0] ?? 0) & 0x3f;
    if (basicBytes === 2) return 64 + (this.#header[1] ?? 0);
    return 64 + (this.#header[1] ?? 0) + (this.#header[2] ?? 0) * 256;
  }

  /** @returns bytes that turned out to be payload */
  #finishHeader(): Buffer | undefined {
    const first = this.#header[0] ?? 0;
    const basic = basicHeaderBytes(first);
    const format = first >> 6;
    const stream = this.#streamFor(this.#chunkStreamId(basic), format);
    const headerBytes = this.#headerBytes;
    this.#headerBytes = 0;
    let returned: Buffer | undefined;
    if (format === 3) {
      if (stream.extended) {
        // Some encoders leave the extended timestamp out of type 3 chunks: then these four bytes are payload.
        const repeated = this.#header.readUInt32BE(headerBytes - 4);
        if (repeated !== stream.timestampField && repeated !== stream.timestamp) {
          returned = Buffer.from(this.#header.subarray(headerBytes - 4, headerBytes));
        }
      }
    } else {
      this.#readMessageHeader(stream, format, basic, headerBytes);
    }
    if (!stream.open) this.#openMessage(stream, format);
    this.#current = stream;
    this.#chunkLeft = Math.min(this.#chunkSize, stream.length - stream.received);
    if (this.#chunkLeft === 0) this.#closeMessage(stream);
    return returned;
  }

  #streamFor(id: number, format: number): ChunkStream {
    const known = this.#streams.get(id);
    if (known !== undefined) {
      if (known.open && format !== 3) {
        throw new RtmpProtocolError('chunk', `type ${format} header inside a message, wanted type 3`);
      }
      return known;
    }
    // librtmp opens chunk stream 2 with type 1.
    if (format > 1) throw new RtmpProtocolError('chunk', `a chunk stream begins with type ${format}, wanted 0`);
    if (this.#streams.size >= this.#maxChunkStreams) {
      throw new RtmpProtocolError('flood', `more than ${this.#maxChunkStreams} chunk streams`);
    }
    const stream: ChunkStream = {
      timestamp: 0,
      timestampField: 0,
      extended: false,
      length: 0,
      type: 0,
      messageStreamId: 0,
      open: false,
      received: 0,
      body: undefined,
    };
    this.#streams.set(id, stream);
    return stream;
  }

  /** RTMP 1.0 section 5.3.1.2. */
  #readMessageHeader(stream: ChunkStream, format: number, at: number, end: number): void {
    const field = this.#header.readUIntBE(at, 3);
    stream.extended = field === EXTENDED;
    stream.timestampField = stream.extended ? this.#header.readUInt32BE(end - 4) : field;
    if (format <= 1) {
      stream.length = this.#header.readUIntBE(at + 3, 3);
      stream.type = this.#header[at + 6] ?? 0;
    }
    if (format === 0) stream.messageStreamId = this.#header.readUInt32LE(at + 7);
  }

  #openMessage(stream: ChunkStream, format: number): void {
    // Type 3 repeats the last delta, also when that was the timestamp of a type 0 header (section 5.3.1.2.4).
    stream.timestamp = format === 0 ? stream.timestampField : (stream.timestamp + stream.timestampField) >>> 0;
    stream.received = 0;
    stream.body = undefined;
    stream.open = true;
    if (!this.#handlers.startMessage(stream.type, stream.length)) return;
    const limit = this.#handlers.unfinishedLimit();
    if (this.#unfinished + stream.length > limit) {
      throw new RtmpProtocolError('flood', `more than ${limit} bytes of unfinished messages`);
    }
    this.#unfinished += stream.length;
    // Not zeroed: memory that the peer declares but does not send is never touched, and no byte is handed on unwritten.
    stream.body = Buffer.allocUnsafe(stream.length);
  }

  #readPayload(stream: ChunkStream, data: Buffer, offset: number): number {
    const bytes = Math.min(this.#chunkLeft, data.length - offset);
    if (stream.body !== undefined) data.copy(stream.body, stream.received, offset, offset + bytes);
    stream.received += bytes;
    this.#chunkLeft -= bytes;
    if (stream.received === stream.length) this.#closeMessage(stream);
    else if (this.#chunkLeft === 0) this.#current = undefined;
    return offset + bytes;
  }

  #closeMessage(stream: ChunkStream): void {
    this.#current = undefined;
    const { type, timestamp, messageStreamId, length, body } = stream;
    this.#forget(stream);
    if (type === MESSAGE_TYPE.setChunkSize) this.#setChunkSize(body);
    else if (type === MESSAGE_TYPE.abort) this.#abort(body);
    else this.#handlers.message({ type, timestamp, messageStreamId, length, body });
  }

  #forget(stream: ChunkStream): void {
    stream.open = false;
    stream.received = 0;
    if (stream.body === undefined) return;
    this.#unfinished -= stream.length;
    stream.body = undefined;
  }

  /** RTMP 1.0 section 5.4.1. The new size holds from the next chunk on. */
  #setChunkSize(body: Buffer | undefined): void {
    const size = controlNumber(body);
    if (size < 1 || size > MAX_CHUNK_SIZE) {
      throw new RtmpProtocolError('control', `chunk size ${size}, wanted 1 to ${MAX_CHUNK_SIZE}`);
    }
    this.#chunkSize = size;
  }

  /** RTMP 1.0 section 5.4.2. */
  #abort(body: Buffer | undefined): void {
    const stream = this.#streams.get(controlNumber(body));
    if (stream?.open === true) this.#forget(stream);
  }
}

function basicHeaderBytes(first: number): number {
  const id = first & 0x3f;
  return id === 0 ? 2 : id === 1 ? 3 : 1;
}

/** The 32 bits that a protocol control message begins with. @throws RtmpProtocolError when it is shorter */
export function controlNumber(body: Buffer | undefined): number {
  if (body === undefined || body.length < 4) {
    throw new RtmpProtocolError('control', `control message of ${body?.length ?? 0} bytes, wanted 4`);
  }
  return body.readUInt32BE(0);
}
