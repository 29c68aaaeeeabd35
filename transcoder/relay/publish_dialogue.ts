/**
 * The client's side of the RTMP dialogue that publishes a stream (RTMP 1.0 sections 5.2 and 7): handshake, connect,
 * createStream, publish, and what a target says afterwards. Knows neither sockets nor time; a target is no more trusted
 * than a publisher.
 */
import { Amf0Reader, isAmf0Object } from '../ingest/amf0_reader.ts';
import type { Amf0Value } from '../ingest/amf0_reader.ts';
import { ChunkReader, controlNumber } from '../ingest/chunk_reader.ts';
import type { ChunkMessage } from '../ingest/chunk_reader.ts';
import { MESSAGE_TYPE, USER_CONTROL } from '../ingest/message_type.ts';
import { RtmpProtocolError } from '../ingest/rtmp_protocol_error.ts';
import { writeAmf0 } from './amf0_writer.ts';
import type { Amf0Writable } from './amf0_writer.ts';
import { chunked, DEFAULT_CHUNK_SIZE, RELAY_CHUNK_SIZE } from './chunk_writer.ts';
import type { RelayEndpoint } from './relay_endpoint.ts';
import { RelayFailure } from './relay_error.ts';

export interface PublishDialogueHandlers {
  output(bytes: Buffer): void;
  /** The target takes media from here on, in chunks of RELAY_CHUNK_SIZE. */
  live(messageStreamId: number): void;
}

export interface PublishDialogueOptions {
  readonly endpoint: RelayEndpoint;
  /** 1528 bytes, see section 5.2.3. */
  readonly random: Buffer;
  /** FourCC codes of enhanced RTMP that the source uses; targets that do not know them are not bothered with others. */
  readonly fourCcs: readonly string[];
  readonly handlers: PublishDialogueHandlers;
}

type State = 'handshake' | 'connecting' | 'creating' | 'publishing' | 'live' | 'closed';

const VERSION = 3;
const HELLO_BYTES = 1536;
const REPLY_BYTES = 1 + HELLO_BYTES + HELLO_BYTES;
const CONTROL_STREAM = 2;
const COMMAND_STREAM = 3;
const TRANSACTION = { connect: 1, releaseStream: 2, fcPublish: 3, createStream: 4, publish: 5 } as const;
const DEFAULT_WINDOW = 2_500_000;
const MIN_WINDOW = 4096;
const MAX_CONTROL_BYTES = 64;
const MAX_COMMAND_BYTES = 64 * 1024;
const AMF_LIMITS = { amfDepth: 8, amfValues: 256 };
const MAX_CHUNK_STREAMS = 16;
/** What a target calls a state: anything else might repeat what we sent. */
const STATUS_CODE = /^Net(?:Stream|Connection)(?:\.[A-Za-z]{1,40}){1,3}$/;

export class PublishDialogue {
  readonly #endpoint: RelayEndpoint;
  readonly #options: PublishDialogueOptions;
  readonly #handlers: PublishDialogueHandlers;
  readonly #reader: ChunkReader;
  #state: State = 'handshake';
  #hello = Buffer.alloc(0);
  #messageStreamId = 0;
  #received = 0;
  #acknowledged = 0;
  #ackWindow = DEFAULT_WINDOW;

  constructor(options: PublishDialogueOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint;
    this.#handlers = options.handlers;
    this.#reader = new ChunkReader(
      {
        startMessage: (type, length) => startMessage(type, length),
        message: (message) => this.#message(message),
        unfinishedLimit: () => 2 * MAX_COMMAND_BYTES,
      },
      MAX_CHUNK_STREAMS,
    );
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  /** Sends C0 and C1. */
  start(): void {
    this.#handlers.output(Buffer.concat([Buffer.from([VERSION]), Buffer.alloc(8), this.#options.random]));
  }

  /** Takes what arrived. @throws RelayFailure, RtmpProtocolError: the connection is of no use any more */
  feed(data: Buffer): void {
    if (this.#state === 'closed') return;
    this.#received += data.length;
    if (this.#state === 'handshake') this.#handshake(data);
    else this.#reader.feed(data);
    this.#acknowledge();
  }

  /** Says goodbye, as OBS does. */
  finish(): void {
    if (this.#state === 'live') {
      this.#command('FCUnpublish', 6, [null, this.#endpoint.playName()]);
      this.#command('deleteStream', 7, [null, this.#messageStreamId]);
    }
    this.#state = 'closed';
  }

  /** S0, S1 and S2; C2 repeats S1 (section 5.2.4). Nothing else is sent before S2 came (section 5.2.1). */
  #handshake(data: Buffer): void {
    const hadHello = this.#hello.length >= 1 + HELLO_BYTES;
    this.#hello = Buffer.concat([this.#hello, data]);
    const version = this.#hello[0];
    if (version !== VERSION) throw new RelayFailure('protocol', 'the target does not speak RTMP');
    if (this.#hello.length < 1 + HELLO_BYTES) return;
    if (!hadHello) this.#handlers.output(Buffer.from(this.#hello.subarray(1, 1 + HELLO_BYTES)));
    if (this.#hello.length < REPLY_BYTES) return;
    const rest = this.#hello.subarray(REPLY_BYTES);
    this.#hello = Buffer.alloc(0);
    this.#connect();
    if (rest.length > 0) this.#reader.feed(rest);
  }

  /** Section 7.2.1.1. */
  #connect(): void {
    this.#state = 'connecting';
    const { app, tcUrl } = this.#endpoint;
    const { fourCcs } = this.#options;
    this.#command('connect', TRANSACTION.connect, [
      {
        app,
        type: 'nonprivate',
        flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)',
        swfUrl: tcUrl,
        tcUrl,
        ...(fourCcs.length === 0 ? {} : { fourCcList: fourCcs }),
      },
    ]);
  }

  #connected(): void {
    this.#state = 'creating';
    const size = Buffer.alloc(4);
    size.writeUInt32BE(RELAY_CHUNK_SIZE, 0);
    this.#control(MESSAGE_TYPE.setChunkSize, size);
    const name = this.#endpoint.playName();
    // Flash Media Live Encoder's commands, which some services wait for; others answer _error, which means nothing.
    this.#command('releaseStream', TRANSACTION.releaseStream, [null, name]);
    this.#command('FCPublish', TRANSACTION.fcPublish, [null, name]);
    this.#command('createStream', TRANSACTION.createStream, [null]);
  }

  /** Section 7.2.2.6. */
  #created(messageStreamId: Amf0Value): void {
    if (typeof messageStreamId !== 'number' || !Number.isInteger(messageStreamId) || messageStreamId < 0) {
      throw new RelayFailure('protocol', 'the target gave no message stream');
    }
    if (messageStreamId >= 2 ** 32) throw new RelayFailure('protocol', 'the target gave no message stream');
    this.#state = 'publishing';
    this.#messageStreamId = messageStreamId;
    this.#command('publish', TRANSACTION.publish, [null, this.#endpoint.playName(), 'live'], messageStreamId);
  }

  #message({ type, body }: ChunkMessage): void {
    if (body === undefined || this.#state === 'closed') return;
    switch (type) {
      case MESSAGE_TYPE.windowAcknowledgementSize:
        this.#ackWindow = Math.max(MIN_WINDOW, controlNumber(body));
        break;
      case MESSAGE_TYPE.setPeerBandwidth:
        // Section 5.4.5: answered with our own window.
        this.#control(MESSAGE_TYPE.windowAcknowledgementSize, Buffer.from(body.subarray(0, 4)));
        break;
      case MESSAGE_TYPE.userControl:
        this.#userControl(body);
        break;
      case MESSAGE_TYPE.commandAmf0:
        this.#reply(body);
        break;
      case MESSAGE_TYPE.commandAmf3:
        this.#reply(body.subarray(1));
        break;
      default:
    }
  }

  #userControl(body: Buffer): void {
    if (body.length < 6 || body.readUInt16BE(0) !== USER_CONTROL.pingRequest) return;
    const pong = Buffer.from(body.subarray(0, 6));
    pong.writeUInt16BE(USER_CONTROL.pingResponse, 0);
    this.#control(MESSAGE_TYPE.userControl, pong);
  }

  #reply(body: Buffer): void {
    const reader = new Amf0Reader(body, AMF_LIMITS);
    const next = (): Amf0Value => (reader.atEnd ? undefined : reader.readValue());
    const name = next();
    const transaction = next();
    next();
    const info = next();
    if (name === 'onStatus') this.#status(info);
    else if (name === '_error') this.#error(transaction, info);
    else if (name === '_result') this.#result(transaction, info);
    else if (name === 'close') throw new RelayFailure('closed', 'the target closed the stream');
  }

  #result(transaction: Amf0Value, info: Amf0Value): void {
    if (transaction === TRANSACTION.connect && this.#state === 'connecting') this.#connected();
    else if (transaction === TRANSACTION.createStream && this.#state === 'creating') this.#created(info);
  }

  #error(transaction: Amf0Value, info: Amf0Value): void {
    const matters =
      (transaction === TRANSACTION.connect && this.#state === 'connecting') ||
      (transaction === TRANSACTION.createStream && this.#state === 'creating') ||
      (transaction === TRANSACTION.publish && this.#state === 'publishing');
    if (matters) throw rejected(info);
  }

  #status(info: Amf0Value): void {
    const level = textOf(info, 'level');
    const code = textOf(info, 'code');
    if (level === 'error' || code === 'NetStream.Unpublish.Success') throw rejected(info);
    if (code !== 'NetStream.Publish.Start' || this.#state !== 'publishing') return;
    this.#state = 'live';
    this.#handlers.live(this.#messageStreamId);
  }

  /** Section 5.4.3. */
  #acknowledge(): void {
    if (this.#received - this.#acknowledged < this.#ackWindow || this.#state === 'handshake') return;
    this.#acknowledged = this.#received;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.#received % 2 ** 32, 0);
    this.#control(MESSAGE_TYPE.acknowledgement, count);
  }

  #control(type: number, body: Buffer): void {
    const message = { type, chunkStreamId: CONTROL_STREAM, messageStreamId: 0, timestampMs: 0, body };
    this.#handlers.output(chunked(message, DEFAULT_CHUNK_SIZE));
  }

  #command(name: string, transaction: number, values: readonly Amf0Writable[], messageStreamId = 0): void {
    const body = writeAmf0([name, transaction, ...values]);
    const chunkSize = this.#state === 'connecting' ? DEFAULT_CHUNK_SIZE : RELAY_CHUNK_SIZE;
    const message = {
      type: MESSAGE_TYPE.commandAmf0,
      chunkStreamId: COMMAND_STREAM,
      messageStreamId,
      timestampMs: 0,
      body,
    };
    this.#handlers.output(chunked(message, chunkSize));
  }
}

/** Whether a message's body is kept. @throws RtmpProtocolError when it may not be that long */
function startMessage(type: number, length: number): boolean {
  const isCommand = type === MESSAGE_TYPE.commandAmf0 || type === MESSAGE_TYPE.commandAmf3;
  const isControl = type <= MESSAGE_TYPE.setPeerBandwidth;
  const limit = isControl ? MAX_CONTROL_BYTES : MAX_COMMAND_BYTES;
  if (length > limit && (isControl || isCommand)) {
    throw new RtmpProtocolError('message-size', `message type ${type} of ${length} bytes, wanted ${limit} at most`);
  }
  return isControl || isCommand;
}

function rejected(info: Amf0Value): RelayFailure {
  const code = textOf(info, 'code');
  return new RelayFailure('rejected', `the target refused the stream${STATUS_CODE.test(code) ? ` (${code})` : ''}`);
}

function textOf(info: Amf0Value, name: string): string {
  const value = isAmf0Object(info) ? info.get(name) : undefined;
  return typeof value === 'string' ? value : '';
}
