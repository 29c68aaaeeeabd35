/** A running ingest server for tests, whose clock stands still until it is moved, and what its publishers sent. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIngestServer } from '../../transcoder/ingest/ingest_server.ts';
import type { IngestServer } from '../../transcoder/ingest/ingest_server.ts';
import type { IngestOptions } from '../../transcoder/ingest/ingest_options.ts';
import { PublishRefused } from '../../transcoder/ingest/publisher.ts';
import type {
  AcceptPublisher,
  PublishEnd,
  PublishRequest,
  PublisherConnection,
} from '../../transcoder/ingest/publisher.ts';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';

/** One publisher as the transcoder sees it. */
export class Stream {
  readonly tags: MediaTag[] = [];
  readonly request: PublishRequest;
  readonly connection: PublisherConnection;
  readonly ended: Promise<{ readonly end: PublishEnd; readonly reason: string }>;
  #resolve: (value: { end: PublishEnd; reason: string }) => void = () => undefined;
  #wanted = Infinity;
  #full: () => void = () => undefined;

  constructor(request: PublishRequest, connection: PublisherConnection) {
    this.request = request;
    this.connection = connection;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  media(tag: MediaTag): void {
    this.tags.push(tag);
    if (this.tags.length >= this.#wanted) this.#full();
  }

  end(end: PublishEnd, reason: string): void {
    this.#resolve({ end, reason });
  }

  async received(count: number): Promise<readonly MediaTag[]> {
    this.#wanted = count;
    if (this.tags.length < count) await new Promise<void>((resolve) => (this.#full = resolve));
    return this.tags;
  }
}

export interface Running {
  readonly server: IngestServer;
  readonly port: number;
  readonly securePort: number;
  readonly streams: Stream[];
  readonly logged: string[];
  /** Moves the server's clock on. */
  readonly advance: (ms: number) => void;
}

const cleanUps: (() => Promise<void> | void)[] = [];

/** Closes what `start` and `certificate` made. */
export async function cleanUp(): Promise<void> {
  for (const one of cleanUps.splice(0).toReversed()) await one();
}

export async function start(options: Partial<IngestOptions> = {}): Promise<Running> {
  let nowMs = 1_000_000;
  const streams: Stream[] = [];
  const logged: string[] = [];
  const log = (fields: object, message: string): number => logged.push(`${message} ${JSON.stringify(fields)}`);
  const accept: AcceptPublisher = (request, connection) => {
    if (request.streamKey.startsWith('wrong')) {
      return Promise.reject(new PublishRefused('NetStream.Publish.BadName', 'This stream key is not known.'));
    }
    const stream = new Stream(request, connection);
    streams.push(stream);
    return Promise.resolve({ media: (tag) => stream.media(tag), ended: (end, reason) => stream.end(end, reason) });
  };
  const server = createIngestServer({
    port: 0,
    host: '127.0.0.1',
    accept,
    logger: { info: log, warn: log, error: log },
    monotonicMs: () => nowMs,
    ...options,
    timings: { tickMs: 5, lingerMs: 200, ...options.timings },
  });
  const ports = await server.listen();
  cleanUps.push(async () => {
    const closed = server.close();
    nowMs += 1000;
    await closed;
  });
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { server, port: ports.rtmp, securePort: ports.rtmps ?? 0, streams, logged, advance };
}

export async function rawConnection(
  port: number,
): Promise<{ readonly socket: Socket; readonly closed: Promise<unknown> }> {
  const socket = connect({ port, host: '127.0.0.1' });
  // A reset shows as a close.
  socket.on('error', () => undefined);
  socket.resume();
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed };
}

/** A self-signed pair in PEM. */
export function certificate(): { readonly cert: Buffer; readonly key: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const subject = ['-nodes', '-days', '1', '-subj', '/CN=localhost'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'ignore' });
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

export function only(streams: readonly Stream[]): Stream {
  const [stream] = streams;
  if (stream === undefined) throw new Error('no stream');
  return stream;
}
