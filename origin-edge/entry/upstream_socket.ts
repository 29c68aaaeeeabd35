/**
 * One kept-alive connection to a media server over plain HTTP/1.1, which reads a reply's body straight into the buffer
 * that is kept: the system writes it there once, and no stream, chunk or copy stands in between. A reply whose length
 * is not announced (RFC 9112 section 6) is not its business: see `UnannouncedLength`.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { UpstreamReply } from '../../contracts/edge_dependencies.ts';

/** The server chunks its replies: to be asked through another client. */
export class UnannouncedLength extends Error {
  override readonly name = 'UnannouncedLength';
}

/** A kept-alive connection was closed before the reply began: to be asked again (RFC 9112 section 9.3.1). */
export class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

interface Reading {
  readonly maxBytes: number;
  readonly resolve: (reply: UpstreamReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  readonly isFirst: boolean;
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly length: number;
  readonly staysOpen: boolean;
}

const HEAD_BYTES = 65_536;
/** Nobody needs more than this before the body. */
const MAX_HEAD = 16_384;
const NONE = Buffer.alloc(0);

export class UpstreamSocket {
  readonly #socket: Socket;
  readonly #onFree: (socket: UpstreamSocket) => void;
  /** Replies are read into it until their length is known. */
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  #headLength = 0;
  #parsed: Head | undefined;
  #body: Buffer<ArrayBuffer> = NONE;
  #bodyLength = 0;
  #reading: Reading | undefined;
  #requests = 0;

  /** @param onFree told when the connection may be used again @param onClosed told once, when it is over */
  constructor(url: URL, onFree: (socket: UpstreamSocket) => void, onClosed: (socket: UpstreamSocket) => void) {
    this.#onFree = onFree;
    this.#socket = connect({
      host: url.hostname.replaceAll(/[[\]]/g, ''),
      port: Number(url.port === '' ? 80 : url.port),
      noDelay: true,
      onread: { buffer: () => this.#room(), callback: (length) => this.#take(length) },
    });
    this.#socket.on('error', (error) => {
      this.#fail(this.#wasClosedBefore() ? new StaleConnection(error.message, { cause: error }) : error);
    });
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      this.#fail(
        this.#wasClosedBefore()
          ? new StaleConnection('closed before it was used again')
          : new Error(`the reply broke off after ${this.#bodyLength} bytes`),
      );
      onClosed(this);
    });
  }

  /** True when the connection served before, and nothing of the present reply has come. */
  #wasClosedBefore(): boolean {
    return this.#reading !== undefined && !this.#reading.isFirst && this.#headLength === 0;
  }

  /**
   * One at a time.
   * @param request the whole head of a GET
   */
  async get(
    request: string,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<UpstreamReply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(new Error(`no whole reply within ${limits.timeoutMs} ms`)),
        limits.timeoutMs,
      );
      this.#reading = { maxBytes: limits.maxBytes, resolve, reject, timer, isFirst: this.#requests === 0 };
      this.#requests += 1;
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Where the next bytes go: into the body as soon as there is one. */
  #room(): Buffer {
    if (this.#bodyLength < this.#body.length) return this.#body.subarray(this.#bodyLength);
    return this.#headLength < HEAD_BYTES ? this.#head.subarray(this.#headLength) : this.#head;
  }

  /** @returns true: go on reading */
  #take(length: number): boolean {
    if (this.#reading === undefined) {
      // Nobody asked.
      this.#socket.destroy();
      return false;
    }
    if (this.#parsed !== undefined) {
      this.#bodyLength += length;
    } else {
      this.#headLength += length;
      if (!this.#readHead(this.#reading)) return !this.#socket.destroyed;
    }
    if (this.#parsed !== undefined && this.#bodyLength === this.#body.length) this.#finish(this.#reading, this.#parsed);
    return !this.#socket.destroyed;
  }

  /** @returns whether the body may begin */
  #readHead(reading: Reading): boolean {
    const end = this.#head.subarray(0, this.#headLength).indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#headLength > MAX_HEAD) this.#fail(new Error(`got a head of more than ${MAX_HEAD} bytes`));
      return false;
    }
    const head = parseHead(this.#head.subarray(0, end).toString('latin1'));
    const isTooLong = !(head instanceof Error) && head.length > reading.maxBytes;
    if (head instanceof Error || isTooLong) {
      this.#fail(head instanceof Error ? head : new Error(`got more than ${reading.maxBytes} bytes`));
      return false;
    }
    const first = this.#head.subarray(end + 4, this.#headLength);
    if (first.length > head.length) {
      this.#fail(new Error('got more than the announced length'));
      return false;
    }
    this.#parsed = head;
    this.#body = Buffer.allocUnsafeSlow(head.length);
    first.copy(this.#body);
    this.#bodyLength = first.length;
    return true;
  }

  #finish(reading: Reading, head: Head): void {
    const body = this.#body;
    this.#reset(reading);
    reading.resolve({ status: head.status, headers: head.headers, body });
    if (head.staysOpen) this.#onFree(this);
    else this.#socket.destroy();
  }

  #fail(error: Error): void {
    const reading = this.#reading;
    if (reading !== undefined) {
      this.#reset(reading);
      reading.reject(error);
    }
    this.#socket.destroy();
  }

  #reset({ timer }: Reading): void {
    clearTimeout(timer);
    this.#reading = undefined;
    this.#parsed = undefined;
    this.#headLength = 0;
    this.#body = NONE;
    this.#bodyLength = 0;
  }
}

/** A response head (RFC 9112 section 4) without its last empty line. */
function parseHead(text: string): Head | Error {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.([01]) ([2-5][0-9]{2})(?: |$)/.exec(statusLine);
  if (status === null) return new Error('got no HTTP/1.1 reply');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line);
    if (field === null) return new Error('got a header that is none');
    const name = (field[1] ?? '').toLowerCase();
    if (name === 'content-length' && name in headers) return new Error('got two lengths');
    headers[name] = field[2] ?? '';
  }
  const announced = headers['content-length'] ?? '';
  if ('transfer-encoding' in headers || !/^[0-9]{1,15}$/.test(announced)) {
    return new UnannouncedLength('got a reply without an announced length');
  }
  const staysOpen = status[1] === '1' && !/\bclose\b/i.test(headers.connection ?? '');
  return { status: Number(status[2]), headers, length: Number(announced), staysOpen };
}
