/**
 * A simulated low-latency viewer: one kept-alive connection, and for each part one blocking reload and the part. Raw
 * sockets that read into one buffer for all, because thousands of them must cost less than the edge that they measure.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface PollerReply {
  readonly status: number;
  /** Of a playlist; a body of more than 16 KiB is counted, and not kept. */
  readonly text: () => string;
  /** Bytes of the body. */
  readonly length: number;
}

interface Head {
  readonly status: number;
  /** Bytes; undefined: the body is chunked. */
  readonly length: number | undefined;
}

const READ_BYTES = 2 ** 20;
const KEPT_BYTES = 2 ** 14;
/** What a read of any of them puts there is taken before the next one reads. */
const shared = Buffer.allocUnsafe(READ_BYTES);

export class Poller {
  readonly #socket: Socket;
  /** What came of a head that is not whole yet. */
  #begun: Buffer | undefined;
  #head: Head | undefined;
  /** Of the body. */
  #chunks: Buffer[] = [];
  #received = 0;
  #pending: { readonly resolve: (reply: PollerReply) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (length, buffer) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#pending?.reject(error));
    this.#socket.on('close', () => this.#pending?.reject(new Error('the edge closed the connection')));
  }

  async get(target: string): Promise<PollerReply> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: edge\r\n\r\n`, 'latin1');
    });
  }

  close(): void {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const head = this.#head;
    if (head !== undefined) {
      this.#readBody(head, chunk);
      return;
    }
    const bytes = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#begun = Buffer.from(bytes);
      return;
    }
    this.#begun = undefined;
    this.#head = readHead(bytes.toString('latin1', 0, end + 2));
    this.#readBody(this.#head, bytes.subarray(end + 4));
  }

  #readBody({ status, length }: Head, chunk: Buffer): void {
    this.#received += chunk.length;
    if (length === undefined || length <= KEPT_BYTES) this.#chunks.push(Buffer.from(chunk));
    if (length === undefined ? !chunk.subarray(-5).equals(LAST_CHUNK) : this.#received < length) return;
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#head = undefined;
    this.#chunks = [];
    this.#received = 0;
    const whole = body === undefined || length !== undefined ? body : joinChunks(body);
    this.#pending?.resolve({
      status,
      length: length ?? whole?.length ?? 0,
      text: () => whole?.toString('latin1') ?? '',
    });
  }
}

const LENGTH = '\r\ncontent-length: ';

/** @param text up to the end of its last line */
function readHead(text: string): Head {
  const status = Number(text.slice(9, 12));
  const lower = text.includes(LENGTH) ? text : text.toLowerCase();
  const at = lower.indexOf(LENGTH);
  if (at >= 0) return { status, length: Number(lower.slice(at + LENGTH.length, lower.indexOf('\r\n', at + 2))) };
  if (!lower.includes('\r\ntransfer-encoding: chunked\r\n')) throw new Error(`got a reply without a length:\n${text}`);
  return { status, length: undefined };
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** The body without its chunks (RFC 9112 section 7.1). */
function joinChunks(raw: Buffer): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', offset);
    const length = Number.parseInt(raw.subarray(offset, lineEnd).toString('latin1'), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + length));
    offset = lineEnd + 4 + length;
  }
}
