/**
 * Types of what Headwater uses of node-media-server 4.4.3, which ships none. Only node_media_server.ts imports these.
 */
declare module 'node-media-server/src/protocol/rtmp.js' {
  /** The parser and writer of one RTMP connection. */
  export default class Rtmp {
    /** 0 until the first byte (C0) was read. */
    handshakeState: number;
    /** Said in the reply to connect: 0 for AMF0, 3 for AMF3. */
    objectEncoding: number;
    /** Number of streams that createStream made. */
    streams: number;
    /** Where the replies go. */
    onOutputCallback: (bytes: Buffer) => void;
    /** Reads the handshake, then calls `chunkRead` with the rest. */
    parserData(data: Buffer): string | null;
    chunkRead(data: Buffer, offset: number, length: number): string | null;
    sendACK(sequenceNumber: number): void;
    sendWindowACK(size: number): void;
    setPeerBandwidth(size: number, limitType: number): void;
    setChunkSize(size: number): void;
    /** A user control message whose event data are 4 bytes. */
    sendStreamStatus(eventType: number, eventData: number): void;
    sendInvokeMessage(messageStreamId: number, command: Readonly<Record<string, unknown>>): void;
    sendStatusMessage(messageStreamId: number, level: string, code: string, description: string): void;
    respondConnect(transactionId: number): void;
    /** Counts `streams` up and answers with the new number. */
    respondCreateStream(transactionId: number): void;
  }
}

declare module 'node-media-server/src/protocol/flv.js' {
  /** Parser of FLV over HTTP; RTMP makes one and never uses it. */
  export default class Flv {
    parserTagCapacity: number;
  }
}

declare module 'node-media-server/src/core/logger.js' {
  const logger: { log: (message: string, level?: string) => void };
  export default logger;
}
