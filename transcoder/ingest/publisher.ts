/**
 * What ingest asks of the rest of the transcoder, and what it offers: the seam between RTMP and a stream.
 */
import type { MediaTag } from '../flv/media_tag.ts';

export interface PublishRequest {
  /** The publisher's secret: goes to key validation and nowhere else. */
  readonly streamKey: string;
  readonly app: string;
  readonly query: Readonly<Record<string, string>>;
  /** IP address of the publisher, from PROXY protocol when that is on. */
  readonly clientAddress: string;
  /** Name of the connection in logs; holds nothing secret. */
  readonly connectionId: string;
}

/** The publisher's connection, as the stream sees it. */
export interface PublisherConnection {
  readonly connectionId: string;
  readonly clientAddress: string;
  /** Bytes received so far. */
  readonly bytesReceived: number;
  /** ms since the last byte arrived, on the monotonic clock. */
  readonly silentForMs: number;
  /** True for one that makes way for any other publisher of its stream, such as a test picture. */
  readonly yields?: boolean;
  /** Asks an encoder that understands it (Enhanced RTMP) to connect again, while it goes on sending. False: it does not. */
  requestReconnect?(description: string): boolean;
  /** Tells the publisher why (onStatus, level error) and closes. `code` is a NetStream code such as `NetStream.Publish.Rejected`. */
  reject(code: string, description: string): void;
  /** Closes without a word. */
  close(): void;
}

/** Why media stopped. `goodbye`: FCUnpublish, deleteStream, closeStream. `lost`: the connection went away, fell silent or broke the protocol. `refused`: closed by us. */
export type PublishEnd = 'goodbye' | 'lost' | 'refused';

/** Where an authorised publisher's media goes. Calls are synchronous and must not throw; an error inside ends that stream alone. */
export interface PublishSink {
  /** Bits per second that this publisher may send on average over 10 s; absent: ingest's own limit. */
  readonly maxBitrate?: number;
  media(tag: MediaTag): void;
  /** Called exactly once. */
  ended(end: PublishEnd, reason: string): void;
}

/** Thrown (rejected) by `publish` to refuse before Publish.Start. */
export class PublishRefused extends Error {
  override readonly name = 'PublishRefused';
  /** NetStream status code, such as `NetStream.Publish.BadName`. */
  readonly code: string;

  /** @param description one line for the publisher's screen, without a secret */
  constructor(code: string, description: string) {
    super(description);
    this.code = code;
  }
}

/**
 * Decides whether a connection may publish. The socket is paused until the promise settles; Publish.Start is sent
 * after it resolves. `signal` aborts when the connection goes away meanwhile.
 * @throws PublishRefused
 */
export type AcceptPublisher = (
  request: PublishRequest,
  connection: PublisherConnection,
  signal: AbortSignal,
) => Promise<PublishSink>;
