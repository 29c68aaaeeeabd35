/**
 * An RTMP publisher for tests: speaks in OBS's order, sends FLV tag bodies with the timestamps that it is given, and can
 * leave in every way that an encoder leaves.
 */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Amf0Reader, isAmf0Object } from '../transcoder/ingest/amf0_reader.ts';
import { ChunkReader } from '../transcoder/ingest/chunk_reader.ts';
import type { ChunkMessage } from '../transcoder/ingest/chunk_reader.ts';
import * as rtmp from './ingest/rtmp_bytes.ts';

export interface RtmpPublisherOptions {
  readonly port: number;
  readonly host?: string;
  readonly key: string;
  /** Default `stream`. */
  readonly app?: string;
  /** Sent behind the key, without the question mark. */
  readonly query?: string;
  /** RTMPS; certificates are not checked. */
  readonly tls?: boolean;
  /** Sent before everything else: a PROXY protocol header. */
  readonly preamble?: Buffer;
  /** Address that the connection comes from, such as 127.0.0.2. */
  readonly localAddress?: string;
  /** What the encoder says that it can do (Enhanced RTMP 2, "CapsExMask"): 1 is to connect again when it is asked. */
  readonly capsEx?: number;
  /** Bytes per chunk that we send; default 4096. */
  readonly chunkSize?: number;
}

/** An onStatus or `_error` of the server. */
export interface RtmpStatus {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}

/** The server refused: `code` says why. */
export class RtmpRefused extends Error {
  override readonly name = 'RtmpRefused';
  readonly code: string;

  constructor(status: RtmpStatus) {
    super(`${status.code}: ${status.description}`);
    this.code = status.code;
  }
}

const TAG_TYPE = { audio: 8, video: 9, metadata: 18 } as const;
const CHUNK_STREAM = { audio: 4, video: 6, metadata: 5 } as const;
const AMF_LIMITS = { amfDepth: 16, amfValues: 1000 };
const HANDSHAKE_REPLY_BYTES = 1 + 1536 + 1536;

export class RtmpPublisher {
  /** All that the server said, in order. */
  readonly statuses: RtmpStatus[] = [];
  /** Number of user control messages by event type, such as 6 for pings. */
  readonly userControls = new Map<number, number>();
  /** Sequence numbers of the acknowledgements. */
  readonly acknowledgements: number[] = [];
  /** Resolves when the socket is closed by either side. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #options: RtmpPublisherOptions;
  readonly #reader: ChunkReader;
  #handshakeLeft = HANDSHAKE_REPLY_BYTES;
  #onStatus: ((status: RtmpStatus) => void) | undefined;
  #isClosed = false;

  private constructor(socket: Socket, options: RtmpPublisherOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new ChunkReader(
      { startMessage: () => true, message: (message) => this.#message(message), unfinishedLimit: () => 1e6 },
      16,
    );
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        resolve();
      });
    });
    // The server's FIN is the end, as for an encoder; ours may come before it (`halfClose`).
    socket.once('end', () => socket.destroy());
    // What goes wrong shows as `closed`.
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => this.#data(data));
  }

  /**
   * Connects and publishes. Resolves at Publish.Start.
   * @throws RtmpRefused, or Error when the connection closes without a word
   */
  static async publish(options: RtmpPublisherOptions): Promise<RtmpPublisher> {
    const publisher = await RtmpPublisher.connect(options);
    await publisher.requestPublish();
    return publisher;
  }

  /** Connects TCP (and TLS), sends the preamble, and nothing else yet. */
  static async connect(options: RtmpPublisherOptions): Promise<RtmpPublisher> {
    const { port, host = '127.0.0.1', localAddress, preamble } = options;
    const source = localAddress === undefined ? {} : { localAddress };
    const tcp = connectTcp({ port, host, allowHalfOpen: true, noDelay: true, ...source });
    await once(tcp, 'connect');
    if (preamble !== undefined) tcp.write(preamble);
    if (options.tls !== true) return new RtmpPublisher(tcp, options);
    const secure = connectTls({ socket: tcp, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    return new RtmpPublisher(secure, options);
  }

  /** Sends all from the handshake to publish. Resolves at Publish.Start. @throws RtmpRefused */
  async requestPublish(): Promise<void> {
    const { key, app, query, capsEx, chunkSize = 4096 } = this.#options;
    const name = query === undefined ? key : `${key}?${query}`;
    const started = this.#waitFor((status) => status.code === 'NetStream.Publish.Start' || status.level === 'error');
    const extra = capsEx === undefined ? {} : { capsEx: rtmp.amf.number(capsEx) };
    this.#socket.write(Buffer.concat([rtmp.publishing(name, app, extra), rtmp.setChunkSize(chunkSize)]));
    const status = await started;
    if (status.level === 'error') throw new RtmpRefused(status);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes that wait in this process. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** @param body of an FLV tag; metadata begins with "onMetaData" and gets its @setDataFrame here */
  send(tag: { readonly kind: keyof typeof TAG_TYPE; readonly timestampMs: number; readonly body: Buffer }): void {
    const body = tag.kind === 'metadata' ? Buffer.concat([rtmp.amf.string('@setDataFrame'), tag.body]) : tag.body;
    this.#socket.write(
      rtmp.message({
        type: TAG_TYPE[tag.kind],
        csid: CHUNK_STREAM[tag.kind],
        messageStreamId: 1,
        timestamp: tag.timestampMs % 2 ** 32,
        chunkSize: this.#options.chunkSize ?? 4096,
        body,
      }),
    );
  }

  /** Sends bytes as they are. */
  sendRaw(data: Buffer): void {
    this.#socket.write(data);
  }

  /** FCUnpublish and deleteStream, then closes, as OBS does. Resolves when the connection is closed. */
  async unpublish(): Promise<void> {
    this.#socket.end(rtmp.goodbye(this.#options.key));
    await this.closed;
  }

  /** Sends FIN and goes on listening. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Goes away with a reset, as a machine that lost its process does. */
  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that replies pile up at the server. */
  pauseReading(): void {
    this.#socket.pause();
  }

  /** The first status that was or will be said and matches. Rejects when the connection closes before. */
  async waitForStatus(code: string): Promise<RtmpStatus> {
    return this.statuses.find((status) => status.code === code) ?? this.#waitFor((status) => status.code === code);
  }

  #waitFor(matches: (status: RtmpStatus) => boolean): Promise<RtmpStatus> {
    return new Promise((resolve, reject) => {
      this.#onStatus = (status) => {
        if (matches(status)) resolve(status);
      };
      void this.closed.then(() => reject(new Error('the connection closed before the status came')));
    });
  }

  #data(data: Buffer): void {
    const skipped = Math.min(this.#handshakeLeft, data.length);
    this.#handshakeLeft -= skipped;
    if (skipped < data.length) this.#reader.feed(data.subarray(skipped));
  }

  #message({ type, body }: ChunkMessage): void {
    if (body === undefined) return;
    if (type === 3) this.acknowledgements.push(body.readUInt32BE(0));
    if (type === 4) {
      const event = body.readUInt16BE(0);
      this.userControls.set(event, (this.userControls.get(event) ?? 0) + 1);
    }
    if (type !== 20) return;
    const reader = new Amf0Reader(body, AMF_LIMITS);
    const name = reader.readValue();
    reader.readValue();
    reader.readValue();
    const info = reader.atEnd ? undefined : reader.readValue();
    if ((name !== 'onStatus' && name !== '_error') || !isAmf0Object(info)) return;
    const text = (key: string): string => {
      const value = info.get(key);
      return typeof value === 'string' ? value : '';
    };
    const status = { level: text('level'), code: text('code'), description: text('description') };
    this.statuses.push(status);
    this.#onStatus?.(status);
  }
}
