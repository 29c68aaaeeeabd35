/**
 * A simulated low-latency viewer: one kept-alive connection, and for each part one blocking reload and the part. Raw
 * sockets, because hundreds of them must cost less than the edge that they measure.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface PollerReply {
  readonly status: number;
  /** Made when it is asked for. */
  readonly text: () => string;
  /** Bytes of the body. */
  readonly length: number;
}

export class Poller {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #received = 0;
  #pending: { readonly resolve: (reply: PollerReply) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#pending?.reject(error));
    this.#socket.on('close', () => this.#pending?.reject(new Error('the edge closed the connection')));
  }

  async get(target: string): Promise<PollerReply> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: edge\r\n\r\n`);
    });
  }

  close(): void {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    const first = this.#chunks[0] ?? chunk;
    const headEnd = first.indexOf('\r\n\r\n');
    const head = first.subarray(0, headEnd).toString('latin1');
    const isChunked = /^transfer-encoding: chunked$/im.test(head);
    const announced = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    if (isChunked ? !chunk.subarray(-5).equals(LAST_CHUNK) : this.#received < headEnd + 4 + announced) return;
    const chunks = this.#chunks;
    const length = isChunked ? undefined : announced;
    const read = (): Buffer => {
      const raw = Buffer.concat(chunks).subarray(headEnd + 4);
      return isChunked ? joinChunks(raw) : raw;
    };
    this.#chunks = [];
    this.#received = 0;
    this.#pending?.resolve({
      status: Number(head.slice(9, 12)),
      length: length ?? read().length,
      text: () => read().toString('latin1'),
    });
  }
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
