/**
 * The one file that imports node-media-server (4.4.3, pinned): its RTMP class with a guard over what is unsafe in it.
 * Kept: the handshakes and the writing of chunks, control messages and commands. Importing it opens no port.
 */
import logger from 'node-media-server/src/core/logger.js';
import Flv from 'node-media-server/src/protocol/flv.js';
import Rtmp from 'node-media-server/src/protocol/rtmp.js';
import { USER_CONTROL } from './message_type.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

// The stock logger prints stream keys to stdout. No level silences it, so its one sink is replaced.
logger.log = () => undefined;

// Each Rtmp makes an FLV parser with a buffer of this size, 1 MiB that is touched and never used: 0.3 ms and 80 KB of
// resident memory per connection, measured with 1,000. With capacity 0 the buffer is empty.
Object.defineProperty(Flv.prototype, 'parserTagCapacity', {
  get: () => 0,
  set: () => {
    // Stays 0.
  },
});

const RTMP_VERSION = 3;
const OUT_CHUNK_SIZE = 0xffff;
const WINDOW_BYTES = 5_000_000;
const LIMIT_DYNAMIC = 2;

export interface GuardedRtmpHandlers {
  /** Bytes for the peer. */
  output(bytes: Buffer): void;
  /** Chunks after the handshake. May throw. */
  chunks(data: Buffer): void;
}

/** One connection's protocol. Everything read from the peer may throw RtmpProtocolError. */
export class GuardedRtmp extends Rtmp {
  readonly #handlers: GuardedRtmpHandlers;
  #handshakeDone = false;

  constructor(handlers: GuardedRtmpHandlers) {
    super();
    this.#handlers = handlers;
    this.onOutputCallback = (bytes) => handlers.output(bytes);
  }

  get handshakeDone(): boolean {
    return this.#handshakeDone;
  }

  /** Overridden because the stock one takes any first byte for a version: C0 is 3 (RTMP 1.0 section 5.2.2). */
  override parserData(data: Buffer): string | null {
    if (this.handshakeState === 0 && data.length > 0 && data[0] !== RTMP_VERSION) {
      throw new RtmpProtocolError('handshake', `version ${data[0]}, wanted ${RTMP_VERSION}`);
    }
    return super.parserData(data);
  }

  /**
   * Overridden because the stock reader and the dispatcher behind it die of 16 of 35 malformed inputs, send
   * Publish.Start before anyone was asked and hand on a buffer that they write to again. See chunk_reader.ts.
   */
  override chunkRead(data: Buffer, offset: number, length: number): null {
    this.#handshakeDone = true;
    this.#handlers.chunks(data.subarray(offset, offset + length));
    return null;
  }

  /** RTMP 1.0 section 7.2.1.1: window, bandwidth, chunk size, then the result, which settles on AMF0. */
  acceptConnect(transactionId: number): void {
    this.objectEncoding = 0;
    this.sendWindowACK(WINDOW_BYTES);
    this.setPeerBandwidth(WINDOW_BYTES, LIMIT_DYNAMIC);
    this.setChunkSize(OUT_CHUNK_SIZE);
    this.respondConnect(transactionId);
  }

  refuseConnect(transactionId: number, code: string, description: string): void {
    this.sendInvokeMessage(0, {
      cmd: '_error',
      transId: transactionId,
      cmdObj: null,
      info: { level: 'error', code, description: ascii(description) },
    });
  }

  /** Enhanced RTMP 2, "Reconnect Request": to the same URL, since none is named. */
  sendReconnectRequest(description: string): void {
    const code = 'NetConnection.Connect.ReconnectRequest';
    this.sendInvokeMessage(0, {
      cmd: 'onStatus',
      transId: 0,
      cmdObj: null,
      info: { level: 'status', code, description: ascii(description) },
    });
  }

  /** An empty `_result`. */
  acknowledgeCommand(transactionId: number): void {
    this.sendInvokeMessage(0, { cmd: '_result', transId: transactionId, cmdObj: null, info: undefined });
  }

  /** What FMLE-style encoders wait for after FCPublish. */
  sendOnFCPublish(): void {
    this.sendInvokeMessage(0, {
      cmd: 'onFCPublish',
      transId: 0,
      cmdObj: null,
      info: { level: 'status', code: 'NetStream.Publish.Start', description: 'FCPublish accepted.' },
    });
  }

  sendStatus(messageStreamId: number, level: 'status' | 'error', code: string, description: string): void {
    this.sendStatusMessage(messageStreamId, level, ascii(code), ascii(description));
  }

  sendStreamBegin(messageStreamId: number): void {
    this.sendStreamStatus(USER_CONTROL.streamBegin, messageStreamId);
  }

  /** @param timestampMs 32 bits that the peer sends back */
  sendPing(timestampMs: number): void {
    this.sendStreamStatus(USER_CONTROL.pingRequest, timestampMs >>> 0);
  }

  sendPong(timestampMs: number): void {
    this.sendStreamStatus(USER_CONTROL.pingResponse, timestampMs >>> 0);
  }
}

/** The stock AMF writer counts UTF-16 units and writes UTF-8: only ASCII comes out right. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 512);
}
