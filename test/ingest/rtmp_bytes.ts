/**
 * Builds RTMP byte for byte: handshakes, chunks, control messages and AMF0, well-formed or not. For test clients.
 */

/** Control bytes of a chunk; every field may be wrong on purpose. */
export interface MessageFields {
  readonly type: number;
  readonly body: Buffer;
  /** Default 3. */
  readonly csid?: number;
  /** 32 bits, ms; default 0. */
  readonly timestamp?: number;
  /** Default 0. */
  readonly messageStreamId?: number;
  /** How long the chunks are; default 128, RTMP's own. */
  readonly chunkSize?: number;
  /** What the header says the length is; default: the body's. */
  readonly declaredLength?: number;
}

export const bytes = (...values: number[]): Buffer => Buffer.from(values);
export const u16 = (value: number): Buffer => bytes((value >> 8) & 255, value & 255);
export const u24 = (value: number): Buffer => bytes((value >> 16) & 255, (value >> 8) & 255, value & 255);

export function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
}

/** C0 and C1 (RTMP 1.0 sections 5.2.2 and 5.2.3). */
export function c0c1(version = 3): Buffer {
  return Buffer.concat([bytes(version), u32(0), u32(0), Buffer.alloc(1528, 0x5a)]);
}

/** C2. The stock server and ours do not compare it, as FFmpeg's and librtmp's servers do not. */
export const c2 = (): Buffer => Buffer.alloc(1536, 0x5a);

/** C0, C1 and C2 at once. */
export const handshake = (): Buffer => Buffer.concat([c0c1(), c2()]);

/** RTMP 1.0 section 5.3.1.1. */
export function basicHeader(format: number, csid: number, size = csid < 64 ? 1 : csid < 320 ? 2 : 3): Buffer {
  if (size === 1) return bytes((format << 6) | csid);
  if (size === 2) return bytes(format << 6, csid - 64);
  return bytes((format << 6) | 1, (csid - 64) & 255, (csid - 64) >> 8);
}

/** A type 0 header with the extended timestamp where it is needed. */
export function type0Header(fields: Omit<MessageFields, 'body'> & { readonly length: number }): Buffer {
  const { csid = 3, timestamp = 0, messageStreamId = 0, length, type } = fields;
  const streamId = Buffer.alloc(4);
  streamId.writeUInt32LE(messageStreamId);
  const extended = timestamp >= 0xffffff;
  return Buffer.concat([
    basicHeader(0, csid),
    u24(extended ? 0xffffff : timestamp),
    u24(length),
    bytes(type),
    streamId,
    extended ? u32(timestamp) : Buffer.alloc(0),
  ]);
}

/** A whole message in chunks. */
export function message(fields: MessageFields): Buffer {
  const { body, csid = 3, timestamp = 0, chunkSize = 128 } = fields;
  const parts = [type0Header({ ...fields, length: fields.declaredLength ?? body.length }), body.subarray(0, chunkSize)];
  const continuation = Buffer.concat([basicHeader(3, csid), timestamp >= 0xffffff ? u32(timestamp) : Buffer.alloc(0)]);
  for (let at = chunkSize; at < body.length; at += chunkSize) {
    parts.push(continuation, body.subarray(at, at + chunkSize));
  }
  return Buffer.concat(parts);
}

/** Values of AMF0 (amf0-file-format-specification section 2). */
export const amf = {
  number(value: number): Buffer {
    const buffer = Buffer.alloc(9);
    buffer.writeDoubleBE(value, 1);
    return buffer;
  },
  boolean: (value: boolean): Buffer => bytes(1, value ? 1 : 0),
  string: (value: string): Buffer => Buffer.concat([bytes(2), u16(Buffer.byteLength(value)), Buffer.from(value)]),
  longString: (value: string): Buffer => Buffer.concat([bytes(12), u32(Buffer.byteLength(value)), Buffer.from(value)]),
  null: (): Buffer => bytes(5),
  undefined: (): Buffer => bytes(6),
  key: (value: string): Buffer => Buffer.concat([u16(Buffer.byteLength(value)), Buffer.from(value)]),
  end: (): Buffer => bytes(0, 0, 9),
  object(properties: Readonly<Record<string, Buffer>>): Buffer {
    const pairs = Object.entries(properties).flatMap(([key, value]) => [amf.key(key), value]);
    return Buffer.concat([bytes(3), ...pairs, amf.end()]);
  },
  ecmaArray(properties: Readonly<Record<string, Buffer>>, count = Object.keys(properties).length): Buffer {
    return Buffer.concat([bytes(8), u32(count), amf.object(properties).subarray(1)]);
  },
  strictArray: (values: readonly Buffer[], count = values.length): Buffer =>
    Buffer.concat([bytes(10), u32(count), ...values]),
};

/** A command message (type 20) of any AMF bytes. */
export function rawCommand(body: Buffer, messageStreamId = 0): Buffer {
  return message({ type: 20, body, messageStreamId });
}

export function command(name: string, transaction: number, values: readonly Buffer[], messageStreamId = 0): Buffer {
  return rawCommand(Buffer.concat([amf.string(name), amf.number(transaction), ...values]), messageStreamId);
}

/** connect as OBS sends it. */
export function connect(app = 'stream', extra: Readonly<Record<string, Buffer>> = {}): Buffer {
  return command('connect', 1, [
    amf.object({
      app: amf.string(app),
      type: amf.string('nonprivate'),
      flashVer: amf.string('FMLE/3.0 (compatible; FMSc/1.0)'),
      swfUrl: amf.string(`rtmp://127.0.0.1/${app}`),
      tcUrl: amf.string(`rtmp://127.0.0.1/${app}`),
      ...extra,
    }),
  ]);
}

export const createStream = (transaction = 4): Buffer => command('createStream', transaction, [amf.null()]);

export function publish(name: string | Buffer, messageStreamId = 1): Buffer {
  const value = typeof name === 'string' ? amf.string(name) : name;
  return command('publish', 5, [amf.null(), value, amf.string('live')], messageStreamId);
}

/**
 * Everything from the first byte to publish, in OBS's order, sent without waiting.
 * @param extra of the command object of connect
 */
export function publishing(key: string, app = 'stream', extra: Readonly<Record<string, Buffer>> = {}): Buffer {
  return Buffer.concat([
    handshake(),
    connect(app, extra),
    command('releaseStream', 2, [amf.null(), amf.string(key)]),
    command('FCPublish', 3, [amf.null(), amf.string(key)]),
    createStream(),
    publish(key),
  ]);
}

export const setChunkSize = (size: number): Buffer => message({ type: 1, csid: 2, body: u32(size) });

/** An AVC frame (FLV E.4.3) that holds `fill`; a key frame unless said otherwise. */
export function videoBody(length = 200, fill = 0x11, keyFrame = true): Buffer {
  return Buffer.concat([bytes(keyFrame ? 0x17 : 0x27, 1, 0, 0, 0), Buffer.alloc(Math.max(0, length - 5), fill)]);
}

/** An AAC frame (FLV E.4.2). */
export const audioBody = (length = 100, fill = 0x22): Buffer =>
  Buffer.concat([bytes(0xaf, 1), Buffer.alloc(Math.max(0, length - 2), fill)]);

export const video = (timestamp = 0, body = videoBody()): Buffer =>
  message({ type: 9, csid: 6, messageStreamId: 1, timestamp, body });

export const audio = (timestamp = 0, body = audioBody()): Buffer =>
  message({ type: 8, csid: 4, messageStreamId: 1, timestamp, body });

/** A data message (type 18). */
export const data = (body: Buffer, type = 18): Buffer => message({ type, csid: 5, messageStreamId: 1, body });

export const metadata = (): Buffer =>
  data(
    Buffer.concat([
      amf.string('@setDataFrame'),
      amf.string('onMetaData'),
      amf.ecmaArray({ width: amf.number(1280), height: amf.number(720), videocodecid: amf.number(7) }),
    ]),
  );

/** Two commands that end a publication as OBS does. */
export const goodbye = (key: string): Buffer =>
  Buffer.concat([
    command('FCUnpublish', 6, [amf.null(), amf.string(key)]),
    command('deleteStream', 7, [amf.null(), amf.number(1)]),
  ]);
