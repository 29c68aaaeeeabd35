/**
 * The publisher's side of the RTMP dialogue on one connection: which command may come when, what is answered, and what
 * becomes of messages. Knows neither sockets nor time.
 */
import { splitAggregate } from './aggregate_message.ts';
import { Amf0Reader, isAmf0Object } from './amf0_reader.ts';
import type { Amf0Value } from './amf0_reader.ts';
import { ChunkReader, controlNumber } from './chunk_reader.ts';
import type { ChunkMessage } from './chunk_reader.ts';
import type { IngestLimits } from './ingest_options.ts';
import { MESSAGE_TYPE, USER_CONTROL } from './message_type.ts';
import { metadataBody } from './metadata_body.ts';
import { GuardedRtmp } from './node_media_server.ts';
import { parseConnectTarget, parsePublishTarget } from './publish_target.ts';
import type { ConnectTarget, PublishTarget } from './publish_target.ts';
import { PublishRefused } from './publisher.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';
import { TimestampUnwrapper } from './timestamp_unwrapper.ts';
import type { MediaTag } from '../flv/media_tag.ts';

/**
 * `connecting`: handshake and before connect. `idle`: connected, not publishing. `authorising`: asked to publish, reading
 * is suspended. `live`: media counts. `closed`: nothing counts any more.
 */
export type RtmpSessionState = 'connecting' | 'idle' | 'authorising' | 'live' | 'closed';

export interface RtmpSessionHandlers {
  output(bytes: Buffer): void;
  /** Settle it with `startPublish` or `refusePublish`. */
  publishRequested(target: PublishTarget): void;
  media(tag: MediaTag): void;
  /** FCUnpublish, deleteStream, closeStream: no media follows. */
  goodbye(): void;
  /** The peer has been told; close when that is sent. */
  refused(reason: 'app' | 'name' | 'player', code: string): void;
  mediaDropped(): void;
  metadataIgnored(): void;
}

export interface RtmpSessionOptions {
  readonly limits: IngestLimits;
  readonly apps: readonly string[];
  readonly handlers: RtmpSessionHandlers;
}

/** Bit of `capsEx`: the encoder understands a request to connect again (Enhanced RTMP 2, "CapsExMask"). */
const CAPS_EX_RECONNECT = 1;
const MAX_CONTROL_BYTES = 64;
const DEFAULT_WINDOW = 2_500_000;
/** A peer that asks for an acknowledgement of every byte gets one per this many. */
const MIN_WINDOW = 4096;

export class RtmpSession {
  readonly #limits: IngestLimits;
  readonly #apps: readonly string[];
  readonly #handlers: RtmpSessionHandlers;
  readonly #rtmp: GuardedRtmp;
  readonly #reader: ChunkReader;
  readonly #timestamps = new TimestampUnwrapper();
  #state: RtmpSessionState = 'connecting';
  #connect: ConnectTarget | undefined;
  #mayReconnect = false;
  #commands = 0;
  /** Message stream of the publish command. */
  #publishStreamId = 0;
  #fcPublishSeen = false;
  #ackWindow = DEFAULT_WINDOW;
  #acknowledged = 0;

  constructor(options: RtmpSessionOptions) {
    const { limits, handlers } = options;
    this.#limits = limits;
    this.#apps = options.apps;
    this.#handlers = handlers;
    this.#reader = new ChunkReader(
      {
        startMessage: (type, length) => this.#startMessage(type, length),
        message: (message) => this.#message(message),
        unfinishedLimit: () => (this.#state === 'live' ? limits.unfinishedBytes : limits.amfBytes),
      },
      limits.chunkStreams,
    );
    this.#rtmp = new GuardedRtmp({
      output: (bytes) => handlers.output(bytes),
      chunks: (data) => this.#reader.feed(data),
    });
  }

  get state(): RtmpSessionState {
    return this.#state;
  }

  get handshakeDone(): boolean {
    return this.#rtmp.handshakeDone;
  }

  /** Bytes read ahead while authorising. */
  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  /** Takes what arrived. @throws RtmpProtocolError: the connection is to be destroyed */
  feed(data: Buffer): void {
    if (this.#state !== 'closed') this.#rtmp.parserData(data);
  }

  /**
   * Sends an Acknowledgement when the peer's window is full (RTMP 1.0 section 5.4.3).
   * @param bytesReceived on the connection so far
   */
  acknowledge(bytesReceived: number): void {
    if (bytesReceived - this.#acknowledged < this.#ackWindow || !this.handshakeDone) return;
    this.#acknowledged = bytesReceived;
    this.#rtmp.sendACK(bytesReceived % 2 ** 32);
  }

  ping(timestampMs: number): void {
    if (this.#connect !== undefined && this.#state !== 'closed') this.#rtmp.sendPing(timestampMs % 2 ** 32);
  }

  /** Says Publish.Start and goes on with what was held. @throws RtmpProtocolError */
  startPublish(): void {
    if (this.#state !== 'authorising') throw new Error(`startPublish in state ${this.#state}`);
    this.#state = 'live';
    if (this.#fcPublishSeen) this.#rtmp.sendOnFCPublish();
    this.#rtmp.sendStreamBegin(this.#publishStreamId);
    this.#rtmp.sendStatus(this.#publishStreamId, 'status', 'NetStream.Publish.Start', 'Publishing.');
    this.#reader.resume();
  }

  /** Asks a live publisher to connect again, and goes on with it. False: it said that it cannot. */
  requestReconnect(description: string): boolean {
    if (this.#state !== 'live' || !this.#mayReconnect) return false;
    this.#rtmp.sendReconnectRequest(description);
    return true;
  }

  /** Tells the publisher why and takes nothing more. */
  refuse(code: string, description: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    if (this.handshakeDone) this.#rtmp.sendStatus(this.#publishStreamId, 'error', code, description);
  }

  /** Takes nothing more. */
  close(): void {
    this.#state = 'closed';
  }

  #startMessage(type: number, length: number): boolean {
    const live = this.#state === 'live';
    const limit = this.#messageLimit(type);
    if (length > limit) {
      throw new RtmpProtocolError('message-size', `message type ${type} of ${length} bytes, wanted ${limit} at most`);
    }
    switch (type) {
      case MESSAGE_TYPE.audio:
      case MESSAGE_TYPE.video:
      case MESSAGE_TYPE.aggregate:
      case MESSAGE_TYPE.dataAmf0:
      case MESSAGE_TYPE.dataAmf3:
        return live;
      case MESSAGE_TYPE.commandAmf0:
      case MESSAGE_TYPE.commandAmf3:
        return true;
      default:
        // Shared objects and what the specification does not know are skipped.
        return type <= MESSAGE_TYPE.setPeerBandwidth;
    }
  }

  #messageLimit(type: number): number {
    if (type <= MESSAGE_TYPE.setPeerBandwidth) return MAX_CONTROL_BYTES;
    if (type === MESSAGE_TYPE.video || type === MESSAGE_TYPE.aggregate) return this.#limits.videoBytes;
    return type === MESSAGE_TYPE.audio ? this.#limits.audioBytes : this.#limits.amfBytes;
  }

  #message(message: ChunkMessage): void {
    if (this.#state === 'closed') return;
    const { type, timestamp, body } = message;
    switch (type) {
      case MESSAGE_TYPE.audio:
      case MESSAGE_TYPE.video:
      case MESSAGE_TYPE.dataAmf0:
      case MESSAGE_TYPE.dataAmf3:
        this.#media(type, timestamp, body);
        break;
      case MESSAGE_TYPE.aggregate:
        this.#aggregate(timestamp, body);
        break;
      case MESSAGE_TYPE.commandAmf0:
        this.#command(body ?? Buffer.alloc(0), message.messageStreamId);
        break;
      case MESSAGE_TYPE.commandAmf3:
        this.#command(amf0InAmf3(body), message.messageStreamId);
        break;
      case MESSAGE_TYPE.userControl:
        this.#userControl(body);
        break;
      case MESSAGE_TYPE.windowAcknowledgementSize:
        this.#ackWindow = Math.max(MIN_WINDOW, controlNumber(body));
        break;
      case MESSAGE_TYPE.acknowledgement:
      case MESSAGE_TYPE.setPeerBandwidth:
        controlNumber(body);
        break;
      default:
    }
  }

  /** RTMP 1.0 section 7.1.7. */
  #userControl(body: Buffer | undefined): void {
    if (body === undefined || body.length < 2) {
      throw new RtmpProtocolError('control', `user control message of ${body?.length ?? 0} bytes, wanted 2`);
    }
    if (body.readUInt16BE(0) === USER_CONTROL.pingRequest) this.#rtmp.sendPong(controlNumber(body.subarray(2)));
  }

  #media(type: number, timestamp: number, body: Buffer | undefined): void {
    // A body is undefined when the message began before the publisher was authorised.
    if (this.#state !== 'live' || body === undefined) {
      this.#handlers.mediaDropped();
      return;
    }
    if (type === MESSAGE_TYPE.audio || type === MESSAGE_TYPE.video) {
      // Empty ones are keep-alives of some encoders; an FLV tag has at least one byte.
      if (body.length === 0) return;
      const kind = type === MESSAGE_TYPE.audio ? 'audio' : 'video';
      this.#handlers.media({ kind, timestampMs: this.#timestamps.unwrap(timestamp), body });
      return;
    }
    const amf0 = type === MESSAGE_TYPE.dataAmf3 && body[0] === 0 ? body.subarray(1) : body;
    const metadata = metadataBody(amf0, this.#limits);
    if (metadata === undefined) this.#handlers.metadataIgnored();
    else this.#handlers.media({ kind: 'metadata', timestampMs: this.#timestamps.peek(timestamp), body: metadata });
  }

  #aggregate(timestamp: number, body: Buffer | undefined): void {
    if (this.#state !== 'live' || body === undefined) {
      this.#handlers.mediaDropped();
      return;
    }
    for (const { type, timestamp: own, body: part } of splitAggregate(body, timestamp)) {
      if (type === MESSAGE_TYPE.audio || type === MESSAGE_TYPE.video || type === MESSAGE_TYPE.dataAmf0) {
        this.#media(type, own, part);
      }
    }
  }

  /** RTMP 1.0 section 7.1.1: name, transaction id, command object, arguments. */
  #command(body: Buffer, messageStreamId: number): void {
    this.#commands += 1;
    if (this.#state !== 'live' && this.#commands > this.#limits.commandsBeforePublish) {
      throw new RtmpProtocolError('flood', `more than ${this.#limits.commandsBeforePublish} commands before publish`);
    }
    const reader = new Amf0Reader(body, this.#limits);
    const name = reader.readValue();
    const transaction = reader.atEnd ? 0 : reader.readValue();
    if (typeof name !== 'string' || typeof transaction !== 'number') {
      throw new RtmpProtocolError('command', 'a command without a name and a transaction id');
    }
    if (this.#connect === undefined && name !== 'connect') {
      throw new RtmpProtocolError('command', 'a command before connect');
    }
    const commandObject = reader.atEnd ? undefined : reader.readValue();
    const argument = (): Amf0Value => (reader.atEnd ? undefined : reader.readValue());
    switch (name) {
      case 'connect':
        this.#onConnect(transaction, commandObject);
        break;
      case 'createStream':
        this.#onCreateStream(transaction);
        break;
      case 'FCPublish':
        this.#fcPublishSeen = true;
        this.#rtmp.acknowledgeCommand(transaction);
        break;
      case 'releaseStream':
        this.#rtmp.acknowledgeCommand(transaction);
        break;
      case 'publish':
        this.#onPublish(argument(), messageStreamId);
        break;
      case 'FCUnpublish':
      case 'closeStream':
        this.#goodbye();
        break;
      case 'deleteStream':
        this.#onDeleteStream(argument());
        break;
      case 'play':
      case 'play2':
        this.#onPlay(messageStreamId);
        break;
      default:
    }
  }

  #onConnect(transaction: number, commandObject: Amf0Value): void {
    if (this.#connect !== undefined) throw new RtmpProtocolError('command', 'a second connect');
    if (!isAmf0Object(commandObject)) throw new RtmpProtocolError('command', 'connect without a command object');
    try {
      this.#connect = parseConnectTarget(commandObject.get('app'), commandObject.get('tcUrl'), this.#apps);
    } catch (error) {
      if (!(error instanceof PublishRefused)) throw error;
      this.#rtmp.refuseConnect(transaction, 'NetConnection.Connect.InvalidApp', error.message);
      this.close();
      this.#handlers.refused('app', 'NetConnection.Connect.InvalidApp');
      return;
    }
    const capsEx = commandObject.get('capsEx');
    this.#mayReconnect = typeof capsEx === 'number' && (capsEx & CAPS_EX_RECONNECT) !== 0;
    this.#rtmp.acceptConnect(transaction);
    this.#state = 'idle';
  }

  #onCreateStream(transaction: number): void {
    if (this.#rtmp.streams >= this.#limits.messageStreams) {
      throw new RtmpProtocolError('flood', `more than ${this.#limits.messageStreams} message streams`);
    }
    this.#rtmp.respondCreateStream(transaction);
  }

  #onPublish(name: Amf0Value, messageStreamId: number): void {
    if (this.#state === 'live') {
      // Wirecast publishes `false` to stop. Another name while live is refused, the stream goes on.
      if (typeof name === 'string') {
        this.#rtmp.sendStatus(messageStreamId, 'error', 'NetStream.Publish.BadName', 'Already publishing.');
      } else this.#goodbye();
      return;
    }
    if (this.#connect === undefined) throw new RtmpProtocolError('command', 'publish before connect');
    this.#publishStreamId = messageStreamId;
    let target: PublishTarget;
    try {
      target = parsePublishTarget(this.#connect, name);
    } catch (error) {
      if (!(error instanceof PublishRefused)) throw error;
      this.refuse(error.code, error.message);
      this.#handlers.refused('name', error.code);
      return;
    }
    this.#state = 'authorising';
    this.#reader.suspend();
    this.#handlers.publishRequested(target);
  }

  /** The id of another stream that the peer made leaves this one alone; a wrong id does not. */
  #onDeleteStream(streamId: Amf0Value): void {
    const another =
      typeof streamId === 'number' &&
      streamId !== this.#publishStreamId &&
      streamId >= 1 &&
      streamId <= this.#rtmp.streams;
    if (!another) this.#goodbye();
  }

  #goodbye(): void {
    if (this.#state !== 'live') return;
    this.#state = 'idle';
    this.#commands = 0;
    this.#fcPublishSeen = false;
    this.#handlers.goodbye();
    this.#rtmp.sendStatus(this.#publishStreamId, 'status', 'NetStream.Unpublish.Success', 'Unpublished.');
  }

  #onPlay(messageStreamId: number): void {
    const code = 'NetStream.Play.Failed';
    this.#rtmp.sendStatus(messageStreamId, 'error', code, 'This server takes publishers; viewers watch over HLS.');
    if (this.#state === 'live') return;
    this.close();
    this.#handlers.refused('player', code);
  }
}

/** An AMF3 command is one byte of format selector, then AMF0 unless it says otherwise (RTMP 1.0 section 7.1.1). */
function amf0InAmf3(body: Buffer | undefined): Buffer {
  if (body === undefined || body[0] !== 0)
    throw new RtmpProtocolError('amf', 'an AMF3 command that is not AMF0 inside');
  return body.subarray(1);
}
