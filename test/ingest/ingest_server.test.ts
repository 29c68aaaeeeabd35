/** Ingest over real sockets: publishing, refusing, ending, times, PROXY protocol, RTMPS. The clock is ours. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
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
import { RtmpPublisher } from '../rtmp_publisher.ts';
import * as rtmp from './rtmp_bytes.ts';

/** One publisher as the transcoder sees it. */
class Stream {
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

interface Running {
  readonly server: IngestServer;
  readonly port: number;
  readonly securePort: number;
  readonly streams: Stream[];
  readonly logged: string[];
  /** Moves the server's clock on. */
  advance(ms: number): void;
}

const cleanUps: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start(options: Partial<IngestOptions> = {}): Promise<Running> {
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

async function rawConnection(port: number): Promise<{ readonly socket: Socket; readonly closed: Promise<unknown> }> {
  const socket = connect({ port, host: '127.0.0.1' });
  // A reset shows as a close.
  socket.on('error', () => undefined);
  socket.resume();
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed };
}

function only(streams: readonly Stream[]): Stream {
  const [stream] = streams;
  if (stream === undefined) throw new Error('no stream');
  return stream;
}

describe('publishing', () => {
  test('hands on each tag with its own bytes, and the request', async () => {
    const { port, streams, logged } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'secret-key', app: 'live', query: 'relay=a&x=1' });
    const bodies = [rtmp.videoBody(9000, 1), rtmp.audioBody(50, 2), rtmp.videoBody(5000, 3)];
    const kinds = ['video', 'audio', 'video'] as const;
    for (const [index, body] of bodies.entries()) {
      publisher.send({ kind: kinds[index] ?? 'video', timestampMs: 0xffffffff - 10 + index * 20, body });
    }
    publisher.send({
      kind: 'metadata',
      timestampMs: 0,
      body: Buffer.concat([rtmp.amf.string('onMetaData'), rtmp.amf.null()]),
    });
    const stream = only(streams);
    const tags = await stream.received(4);
    expect(tags.slice(0, 3)).toStrictEqual([
      { kind: 'video', timestampMs: 0xffffffff - 10, body: bodies[0] },
      { kind: 'audio', timestampMs: 0xffffffff + 10, body: bodies[1] },
      { kind: 'video', timestampMs: 0xffffffff + 30, body: bodies[2] },
    ]);
    expect(tags[3]?.body).toStrictEqual(Buffer.concat([rtmp.amf.string('onMetaData'), rtmp.amf.null()]));
    expect(stream.request).toMatchObject({
      app: 'live',
      streamKey: 'secret-key',
      query: { relay: 'a', x: '1' },
      clientAddress: '127.0.0.1',
    });
    await publisher.unpublish();
    expect(logged.filter((line) => line.includes('secret-key'))).toStrictEqual([]);
  });

  test('splits aggregates and reads AMF3 data', async () => {
    const { port, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    const sub = (type: number, timestamp: number, body: Buffer): Buffer =>
      Buffer.concat([
        rtmp.bytes(type),
        rtmp.u24(body.length),
        rtmp.u24(timestamp),
        Buffer.alloc(4),
        body,
        rtmp.u32(11 + body.length),
      ]);
    const body = Buffer.concat([sub(9, 50, rtmp.videoBody(20)), sub(8, 60, rtmp.audioBody(20))]);
    publisher.sendRaw(rtmp.message({ type: 22, csid: 6, messageStreamId: 1, timestamp: 1000, chunkSize: 4096, body }));
    const metadata = Buffer.concat([rtmp.amf.string('onMetaData'), rtmp.amf.null()]);
    publisher.sendRaw(
      rtmp.message({
        type: 15,
        csid: 6,
        messageStreamId: 1,
        chunkSize: 4096,
        body: Buffer.concat([rtmp.bytes(0), metadata]),
      }),
    );
    const tags = await only(streams).received(3);
    expect(tags).toStrictEqual([
      { kind: 'video', timestampMs: 1000, body: rtmp.videoBody(20) },
      { kind: 'audio', timestampMs: 1010, body: rtmp.audioBody(20) },
      { kind: 'metadata', timestampMs: 0, body: metadata },
    ]);
  });

  test('says Publish.Start only after the decision, and nothing is lost meanwhile', async () => {
    let decide: () => void = () => undefined;
    const tags: MediaTag[] = [];
    const asked = new Promise<void>((resolveAsked) => {
      cleanUps.push(() => decide());
      void start({
        accept: async () => {
          resolveAsked();
          await new Promise<void>((resolve) => (decide = resolve));
          return { media: (tag) => tags.push(tag), ended: () => undefined };
        },
      }).then(async ({ port }) => {
        publisher = await RtmpPublisher.connect({ port, key: 'key' });
        publisher.sendRaw(Buffer.concat([rtmp.publishing('key'), rtmp.video(1), rtmp.video(2), rtmp.goodbye('key')]));
      });
    });
    let publisher: RtmpPublisher | undefined;
    await asked;
    expect(publisher?.statuses).toStrictEqual([]);
    decide();
    await publisher?.waitForStatus('NetStream.Unpublish.Success');
    expect(tags.map(({ timestampMs }) => timestampMs)).toStrictEqual([1, 2]);
    expect(publisher?.statuses.map(({ code }) => code)).toStrictEqual(
      ['NetStream.Publish.Start', 'NetStream.Publish.Start', 'NetStream.Unpublish.Success'].slice(1),
    );
  });

  test('the peer gets acknowledgements for its window, and pings', async () => {
    const { port, advance, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    publisher.sendRaw(rtmp.message({ type: 5, csid: 2, body: rtmp.u32(100_000) }));
    for (let index = 0; index < 30; index += 1) {
      publisher.send({ kind: 'video', timestampMs: index, body: rtmp.videoBody(10_000) });
    }
    await only(streams).received(30);
    publisher.sendRaw(rtmp.message({ type: 4, csid: 2, body: Buffer.concat([rtmp.u16(6), rtmp.u32(7)]) }));
    advance(6000);
    await expect.poll(() => [publisher.userControls.get(6), publisher.userControls.get(7)]).toStrictEqual([1, 1]);
    expect(publisher.acknowledgements.length).toBeGreaterThanOrEqual(1);
    expect(publisher.acknowledgements.at(-1)).toBeGreaterThan(100_000);
  });
});

describe('refusing', () => {
  test('says why before it closes', async () => {
    const { port, server, logged } = await start();
    const refusal = RtmpPublisher.publish({ port, key: 'wrong-key' });
    await expect(refusal).rejects.toThrow('NetStream.Publish.BadName: This stream key is not known.');
    expect(server.counters.refused.denied).toBe(1);
    expect(logged.filter((line) => line.includes('wrong-key'))).toStrictEqual([]);
  });

  test('a live publisher can be refused, in plain ASCII', async () => {
    const { port, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    const stream = only(streams);
    stream.connection.reject('NetStream.Publish.Rejected', 'Zu groß');
    expect((await publisher.waitForStatus('NetStream.Publish.Rejected')).description).toBe('Zu gro?');
    await publisher.closed;
    expect((await stream.ended).end).toBe('refused');
  });

  test('when the decision fails, and when it takes too long', async () => {
    const failing = await start({ accept: () => Promise.reject(new Error('no')) });
    await expect(RtmpPublisher.publish({ port: failing.port, key: 'key' })).rejects.toThrow(
      'NetStream.Publish.Rejected',
    );
    let aborted: Promise<unknown> = Promise.resolve();
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const slow = await start({
      accept: (_request, _connection, signal) => {
        aborted = once(signal, 'abort');
        asked();
        return new Promise(() => undefined);
      },
    });
    const refusal = RtmpPublisher.publish({ port: slow.port, key: 'key' });
    const refused = expect(refusal).rejects.toThrow('Authorisation took too long');
    await isAsked;
    slow.advance(31_000);
    await refused;
    await aborted;
  });

  test('a peer that leaves aborts the decision; a stream that comes too late is told', async () => {
    let decide: () => void = () => undefined;
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    let aborted: Promise<unknown> = Promise.resolve();
    const ends: PublishEnd[] = [];
    const { port } = await start({
      accept: async (_request, _connection, signal) => {
        aborted = once(signal, 'abort');
        asked();
        await new Promise<void>((resolve) => (decide = resolve));
        return { media: () => undefined, ended: (end) => ends.push(end) };
      },
    });
    const publisher = await RtmpPublisher.connect({ port, key: 'key' });
    publisher.sendRaw(rtmp.publishing('key'));
    await isAsked;
    publisher.destroy();
    await aborted;
    decide();
    await expect.poll(() => ends).toStrictEqual(['lost']);
  });

  test('a bitrate above the limit', async () => {
    const { port, streams, advance } = await start({ limits: { bitrate: 8000 }, timings: { bitrateWindowMs: 1000 } });
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    const stream = only(streams);
    // Lets the meter take its first sample.
    advance(1);
    await expect.poll(() => stream.connection.silentForMs).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    for (let step = 1; step <= 30 && !publisher.isClosed; step += 1) {
      publisher.send({ kind: 'video', timestampMs: step, body: rtmp.videoBody(3000) });
      await stream.received(step);
      advance(200);
      await expect.poll(() => publisher.isClosed || stream.connection.silentForMs >= 200).toBe(true);
      if (publisher.statuses.length > 1) break;
    }
    expect((await publisher.waitForStatus('NetStream.Publish.Rejected')).description).toContain('8 kb/s');
    expect((await stream.ended).end).toBe('refused');
  });
});

describe('ending', () => {
  test('FCUnpublish is a goodbye', async () => {
    const { port, streams, server } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    await publisher.unpublish();
    expect((await only(streams).ended).end).toBe('goodbye');
    expect(server.counters).toMatchObject({ publishes: 1, goodbyes: 1, lost: 0 });
  });

  test.each([
    ['closeStream', rtmp.command('closeStream', 0, [rtmp.amf.null()], 1)],
    ['deleteStream with a wrong id', rtmp.command('deleteStream', 0, [rtmp.amf.null(), rtmp.amf.number(9)])],
    ['deleteStream alone', rtmp.command('deleteStream', 0, [rtmp.amf.null(), rtmp.amf.number(1)])],
    ['publish(false)', rtmp.publish(rtmp.amf.boolean(false))],
  ])('%s is a goodbye, and the connection may publish again', async (_name, command) => {
    const { port, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    publisher.sendRaw(command);
    expect((await only(streams).ended).end).toBe('goodbye');
    publisher.sendRaw(Buffer.concat([rtmp.publish('again'), rtmp.video(5)]));
    await expect.poll(() => streams[1]?.tags.length).toBe(1);
  });

  test('deleting another stream of the connection is none', async () => {
    const { port, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    publisher.sendRaw(
      Buffer.concat([
        rtmp.createStream(9),
        rtmp.command('deleteStream', 0, [rtmp.amf.null(), rtmp.amf.number(2)]),
        rtmp.video(),
      ]),
    );
    await only(streams).received(1);
    expect(publisher.isClosed).toBe(false);
  });

  test.each([
    ['a half-close', (publisher: RtmpPublisher): void => publisher.halfClose()],
    ['a reset', (publisher: RtmpPublisher): void => publisher.destroy()],
    ['noise', (publisher: RtmpPublisher): void => publisher.sendRaw(Buffer.alloc(64, 0xc9))],
  ])('%s is a loss', async (_name, leave) => {
    const { port, streams } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    leave(publisher);
    expect((await only(streams).ended).end).toBe('lost');
    await publisher.closed;
  });

  test('ten seconds of silence are a loss, fewer are not', async () => {
    const { port, streams, advance, server } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    const stream = only(streams);
    advance(9000);
    publisher.send({ kind: 'audio', timestampMs: 0, body: rtmp.audioBody() });
    await stream.received(1);
    advance(9000);
    publisher.send({ kind: 'audio', timestampMs: 1, body: rtmp.audioBody() });
    await stream.received(2);
    advance(10_000);
    expect(await stream.ended).toStrictEqual({ end: 'lost', reason: 'silent for 10 s' });
    await publisher.closed;
    await expect.poll(() => server.connectionCount).toBe(0);
  });

  test('a sink that throws ends its own stream', async () => {
    const { port, server } = await start({
      accept: () =>
        Promise.resolve({
          media: () => {
            throw new Error('broken');
          },
          ended: () => undefined,
        }),
    });
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    publisher.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody() });
    await publisher.closed;
    expect(server.counters.sinkErrors).toBe(1);
  });

  test('the server closes all and says why', async () => {
    const { port, streams, server, advance } = await start();
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    const { closed } = await rawConnection(port);
    const done = server.close();
    await publisher.waitForStatus('NetConnection.Connect.AppShutdown');
    expect((await only(streams).ended).end).toBe('refused');
    advance(1000);
    await done;
    await closed;
    expect(server.connectionCount).toBe(0);
    await expect(RtmpPublisher.connect({ port, key: 'key' })).rejects.toThrow('ECONNREFUSED');
  });
});

describe('waiting', () => {
  test('for the handshake, and for publish', async () => {
    const { port, server, advance } = await start();
    const silent = await rawConnection(port);
    const idle = await RtmpPublisher.connect({ port, key: 'key' });
    idle.sendRaw(Buffer.concat([rtmp.handshake(), rtmp.connect()]));
    await expect.poll(() => idle.userControls.size + server.counters.bytesReceived).toBeGreaterThan(3073);
    advance(5001);
    await silent.closed;
    expect(idle.isClosed).toBe(false);
    advance(5000);
    await idle.closed;
    expect(server.counters.refused).toMatchObject({ 'slow-handshake': 1, 'no-publish': 1 });
  });

  test('silent connections are displaced by newcomers', async () => {
    const { port, server } = await start({ limits: { pendingConnections: 3 } });
    const silent = await Promise.all(Array.from({ length: 3 }, () => rawConnection(port)));
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    await Promise.race(silent.map(({ closed }) => closed));
    expect(publisher.isClosed).toBe(false);
    expect(server.counters.refused.displaced).toBe(1);
  });

  test('one address has a limit', async () => {
    const { port, server } = await start({ limits: { connectionsPerAddress: 1, limitLoopback: true } });
    const first = await RtmpPublisher.publish({ port, key: 'key' });
    await expect(RtmpPublisher.publish({ port, key: 'key' })).rejects.toThrow('closed');
    const other = await RtmpPublisher.publish({ port, key: 'key', localAddress: '127.0.0.2' });
    expect([first.isClosed, other.isClosed]).toStrictEqual([false, false]);
    expect(server.counters.refused.address).toBe(1);
  });
});

describe('the way in', () => {
  const proxyHeader = Buffer.from('0d0a0d0a000d0a515549540a2111000cc6336407c00002021234078f', 'hex');

  test('PROXY protocol tells the address; without it nobody comes in', async () => {
    const { port, streams, server } = await start({ proxyProtocol: true });
    await RtmpPublisher.publish({ port, key: 'key', preamble: proxyHeader });
    expect(only(streams).request.clientAddress).toBe('198.51.100.7');
    await expect(RtmpPublisher.publish({ port, key: 'key' })).rejects.toThrow('closed');
    expect(server.counters.protocolErrors.proxy).toBe(1);
  });

  test('a connection can be passed on untouched', async () => {
    let passed: Socket | undefined;
    const { port, server } = await start({
      passOn: (socket) => {
        passed = socket;
        return true;
      },
    });
    const { socket } = await rawConnection(port);
    socket.write('first bytes');
    await expect.poll(() => passed?.isPaused()).toBe(true);
    const [data] = (await Promise.all([once(passed as Socket, 'data'), passed?.resume()]))[0] as [Buffer];
    expect(data.toString()).toBe('first bytes');
    passed?.destroy();
    expect(server.counters).toMatchObject({ passedOn: 1, connections: 0 });
  });

  test('RTMPS, also behind PROXY protocol', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headwater-'));
    cleanUps.push(() => rmSync(folder, { recursive: true }));
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=localhost',
        '-keyout',
        keyFile,
        '-out',
        certFile,
      ],
      { stdio: 'ignore' },
    );
    const tls = { port: 0, cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const { port, securePort, streams, server } = await start({ tls });
    const secure = await RtmpPublisher.publish({ port: securePort, key: 'secure', tls: true });
    secure.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody(20_000) });
    await only(streams).received(1);
    await secure.unpublish();
    expect((await only(streams).ended).end).toBe('goodbye');
    await expect(RtmpPublisher.publish({ port: securePort, key: 'plain' })).rejects.toThrow('closed');
    expect(server.counters.protocolErrors.tls).toBe(1);
    await RtmpPublisher.publish({ port, key: 'plain' });
    expect(streams).toHaveLength(2);
  });

  test('a taken port and a bad certificate are told', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow('EADDRINUSE');
    await expect(start({ tls: { port: 0, cert: 'x', key: 'y' } })).rejects.toThrow(/PEM/);
  });
});
