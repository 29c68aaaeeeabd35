/** Connections that one ingest server passes on to others, over real sockets. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { IngestFleet } from '../../transcoder/ingest/ingest_options.ts';
import { writePassedOnHeader } from '../../transcoder/ingest/passed_on_header.ts';
import { RtmpPublisher } from '../rtmp_publisher.ts';
import { certificate, cleanUp, only, start } from './ingest_fixture.ts';
import * as rtmp from './rtmp_bytes.ts';

const closing: (() => void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await cleanUp();
});

const SECRET = 'of-the-fleet';
const proxyHeader = Buffer.from('0d0a0d0a000d0a515549540a2111000cc63364070a0000010d050787', 'hex');

function fleet(passOnTo: () => readonly string[], takesMore = () => true): IngestFleet {
  return { passOnTo, takesMore, secret: SECRET };
}

const at = (port: number): string => `127.0.0.1:${port}`;

/** A TCP server that does with its connections what the test says. */
async function listener(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    closing.push(() => socket.destroy());
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  closing.push(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a server that passes on', () => {
  test.each([false, true])(
    "gives a peer the publisher's bytes and address (PROXY protocol %s)",
    async (proxyProtocol) => {
      const peer = await start({ proxyProtocol, fleet: fleet(() => []) });
      const full = await start({ proxyProtocol, fleet: fleet(() => [at(peer.port)]) });
      const preamble = proxyProtocol ? { preamble: proxyHeader } : { localAddress: '127.0.0.9' };
      const publisher = await RtmpPublisher.publish({ port: full.port, key: 'key', ...preamble });
      publisher.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody(200_000) });
      await only(peer.streams).received(1);
      expect(only(peer.streams).request).toMatchObject({
        streamKey: 'key',
        clientAddress: proxyProtocol ? '198.51.100.7' : '127.0.0.9',
      });
      expect(full.streams).toHaveLength(0);
      expect(full.server.counters).toMatchObject({ passedOn: 1, passOnDeclined: 0, publishes: 0 });
      expect(peer.server.counters).toMatchObject({ fromPeers: 1, publishes: 1 });
      await publisher.unpublish();
      expect((await only(peer.streams).ended).end).toBe('goodbye');
      await expect.poll(() => full.server.connectionCount).toBe(0);
    },
  );

  test('tries the next peer when one is gone, one is full and one says nothing', async () => {
    const gone = await listener(() => undefined);
    closing.splice(0).forEach((close) => close());
    const silent = await listener(() => undefined);
    const fullToo = await start({
      fleet: fleet(
        () => [],
        () => false,
      ),
    });
    const ready = await start({ fleet: fleet(() => []) });
    const peers = [gone, fullToo.port, silent, ready.port].map(at);
    const full = await start({ fleet: fleet(() => peers) });
    await RtmpPublisher.publish({ port: full.port, key: 'key' });
    expect(only(ready.streams).request.streamKey).toBe('key');
    expect(full.server.counters).toMatchObject({ passedOn: 1, passOnDeclined: 3 });
    expect(fullToo.server.counters.refused.peer).toBe(1);
  });

  test('answers itself when no peer takes it', async () => {
    const fullToo = await start({
      fleet: fleet(
        () => [],
        () => false,
      ),
    });
    const full = await start({ fleet: fleet(() => [at(fullToo.port), at(fullToo.port)]) });
    await RtmpPublisher.publish({ port: full.port, key: 'key' });
    expect(only(full.streams).request.streamKey).toBe('key');
    expect(full.server.counters).toMatchObject({ passedOn: 0, passOnDeclined: 2 });
  });

  test('never passes on what was passed on: two that are full do not play ping-pong', async () => {
    const ports: number[] = [];
    const first = await start({ fleet: fleet(() => [at(ports[1] ?? 0)]) });
    const second = await start({ fleet: fleet(() => [at(ports[0] ?? 0)]) });
    ports.push(first.port, second.port);
    await RtmpPublisher.publish({ port: first.port, key: 'key' });
    expect(only(second.streams).request.streamKey).toBe('key');
    expect(second.server.counters).toMatchObject({ passedOn: 0, fromPeers: 1 });
  });

  test('leaves TLS to the peer, which gets it end to end', async () => {
    const tls = { port: 0, ...certificate() };
    const plain = await start({ fleet: fleet(() => []) });
    const peer = await start({ tls, fleet: fleet(() => []) });
    const full = await start({ tls, fleet: fleet(() => [at(plain.port), at(peer.port)]) });
    const publisher = await RtmpPublisher.publish({ port: full.securePort, key: 'secure', tls: true });
    publisher.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody(50_000) });
    await only(peer.streams).received(1);
    // A peer without a certificate cannot take it.
    expect(full.server.counters).toMatchObject({ passedOn: 1, passOnDeclined: 1 });
    expect(plain.streams).toHaveLength(0);
  });

  test('the end of one side reaches the other, also when only one direction ends', async () => {
    const port = await listener((socket) => {
      socket.once('data', () => socket.write('hello'));
      // What comes after the publisher's FIN still goes back to it.
      socket.on('end', () => socket.end('good night'));
    });
    const full = await start({ fleet: fleet(() => [at(port)]) });
    const publisher = connect({ port: full.port, host: '127.0.0.1', allowHalfOpen: true });
    closing.push(() => publisher.destroy());
    let heard = '';
    publisher.on('data', (data: Buffer) => (heard += data.toString()));
    publisher.write(Buffer.from([3]));
    await expect.poll(() => heard).toBe('hello');
    publisher.end();
    await once(publisher, 'end');
    expect(heard).toBe('hellogood night');
    await expect.poll(() => full.server.connectionCount).toBe(0);
  });

  test('a peer that does not read stops the publisher, and costs no memory', async () => {
    const port = await listener((socket) => {
      socket.once('data', () => {
        socket.write('hello');
        socket.pause();
      });
    });
    const full = await start({ fleet: fleet(() => [at(port)]) });
    const publisher = connect({ port: full.port, host: '127.0.0.1' });
    closing.push(() => publisher.destroy());
    publisher.write(Buffer.from([3]));
    await once(publisher, 'data');
    const chunk = Buffer.alloc(1024 * 1024);
    let stopped = 0;
    while (stopped < 3 && publisher.bytesWritten < 64 * chunk.length) {
      if (!publisher.write(chunk)) stopped += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(publisher.writableLength).toBeGreaterThan(0);
  });

  test('a peer that dies takes its publisher with it, and no other', async () => {
    const sockets: Socket[] = [];
    const port = await listener((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.write('hello'));
    });
    const full = await start({ fleet: fleet(() => [at(port)]) });
    const [one, other] = [connect(full.port, '127.0.0.1'), connect(full.port, '127.0.0.1')];
    for (const publisher of [one, other]) {
      closing.push(() => publisher.destroy());
      publisher.write(Buffer.from([3]));
      await once(publisher, 'data');
    }
    sockets[0]?.resetAndDestroy();
    await once(one, 'close');
    expect(other.destroyed).toBe(false);
  });
});

describe('a header that no peer wrote', () => {
  test.each([
    ["a load balancer's, where none is", proxyHeader],
    ['of another fleet', writePassedOnHeader({ address: '198.51.100.7', secure: false }, 'another-secret')],
  ])('is not believed: %s', async (_, preamble) => {
    const { port, server, streams } = await start({ fleet: fleet(() => []) });
    await expect(RtmpPublisher.publish({ port, key: 'key', preamble })).rejects.toThrow('closed');
    expect(streams).toHaveLength(0);
    expect(server.counters.protocolErrors.proxy).toBe(1);
  });
});
