/**
 * Media of one turn of the event loop as RTMP chunks in one buffer, which goes as it is to every target.
 */
import type { MediaTag } from '../flv/media_tag.ts';
import { MESSAGE_TYPE } from '../ingest/message_type.ts';
import { writeAmf0 } from './amf0_writer.ts';
import { chunkedLength, RELAY_CHUNK_SIZE, writeChunks } from './chunk_writer.ts';
import type { OutgoingMessage } from './chunk_writer.ts';

/** A tag and where it stands. */
export interface PlacedTag {
  readonly tag: MediaTag;
  /** ms on the session's line. */
  readonly timestampMs: number;
  /** A target that has missed something may go on with this one: a key frame, or without video any audio. */
  readonly isStart: boolean;
  /** Metadata or a sequence header. */
  readonly isHeader: boolean;
}

export interface RelayPacket extends Omit<PlacedTag, 'tag'> {
  /** The message in chunks, a view into the batch's bytes. */
  readonly bytes: Buffer;
}

export interface RelayBatch {
  readonly packets: readonly RelayPacket[];
  /** All of them one after the other. */
  readonly bytes: Buffer;
}

const CHUNK_STREAM = { audio: 4, metadata: 5, video: 6 } as const;
const TYPE = { audio: MESSAGE_TYPE.audio, metadata: MESSAGE_TYPE.dataAmf0, video: MESSAGE_TYPE.video } as const;
const SET_DATA_FRAME = writeAmf0(['@setDataFrame']);

/** @param messageStreamId what the target gave; nearly all give 1 */
export function makeBatch(placed: readonly PlacedTag[], messageStreamId: number): RelayBatch {
  const messages = placed.map((one) => messageOf(one, messageStreamId));
  const length = messages.reduce((sum, message) => sum + chunkedLength(message, RELAY_CHUNK_SIZE), 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  const packets = placed.map(({ timestampMs, isStart, isHeader }, index) => {
    const message = messages[index];
    const end = message === undefined ? at : writeChunks(bytes, at, message, RELAY_CHUNK_SIZE);
    const packet = { bytes: bytes.subarray(at, end), timestampMs, isStart, isHeader };
    at = end;
    return packet;
  });
  return { packets, bytes };
}

/** The body as it came; metadata gets back the name that ingest took off: `@setDataFrame` tells servers to keep it. */
function messageOf({ tag, timestampMs }: PlacedTag, messageStreamId: number): OutgoingMessage {
  const body = tag.kind === 'metadata' ? Buffer.concat([SET_DATA_FRAME, tag.body]) : tag.body;
  return { type: TYPE[tag.kind], chunkStreamId: CHUNK_STREAM[tag.kind], messageStreamId, timestampMs, body };
}
