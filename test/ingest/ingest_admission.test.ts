/** Ingest over real sockets: who is let in, who is refused, and how that is said. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PublishEnd } from '../../transcoder/ingest/publisher.ts';
import { RtmpPublisher } from '../rtmp_publisher.ts';
import { certificate, cleanUp, only, rawConnection, start } from './ingest_fixture.ts';
import * as rtmp from './rtmp_bytes.ts';

afterEach(cleanUp);

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
    const asked = Promise.withResolvers<AbortSignal>();
    const slow = await start({
      accept: (_request, _connection, signal) => {
        asked.resolve(signal);
        return new Promise(() => undefined);
      },
    });
    const publisher = await RtmpPublisher.connect({ port: slow.port, key: 'key' });
    publisher.sendRaw(rtmp.publishing('key'));
    const signal = await asked.promise;
    slow.advance(31_000);
    expect((await publisher.waitForStatus('NetStream.Publish.Rejected')).description).toContain('took too long');
    expect(signal.aborted).toBe(true);
  });

  test('a peer that leaves aborts the decision; a stream that comes too late is told', async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const decided = Promise.withResolvers<void>();
    const ends: PublishEnd[] = [];
    const { port } = await start({
      accept: async (_request, _connection, signal) => {
        asked.resolve(signal);
        await decided.promise;
        return { media: () => undefined, ended: (end) => ends.push(end) };
      },
    });
    const publisher = await RtmpPublisher.connect({ port, key: 'key' });
    publisher.sendRaw(rtmp.publishing('key'));
    const signal = await asked.promise;
    publisher.destroy();
    await expect.poll(() => signal.aborted).toBe(true);
    decided.resolve();
    await expect.poll(() => ends).toStrictEqual(['lost']);
  });

  test.each([
    ['the server', 8000, undefined],
    ['the stream', 60_000_000, 8000],
  ])('a bitrate above the limit of %s', async (_name, bitrate, maxBitrate) => {
    const ended = Promise.withResolvers<PublishEnd>();
    const { port, advance } = await start({
      limits: { bitrate },
      timings: { bitrateWindowMs: 1000 },
      accept: () =>
        Promise.resolve({
          media: () => undefined,
          ended: (end) => ended.resolve(end),
          ...(maxBitrate === undefined ? {} : { maxBitrate }),
        }),
    });
    const publisher = await RtmpPublisher.publish({ port, key: 'key' });
    // 3 kB per 100 ms of the server's clock: 240 kb/s.
    const sending = setInterval(() => {
      publisher.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody(3000) });
      advance(100);
    }, 5);
    const { description } = await publisher.waitForStatus('NetStream.Publish.Rejected');
    clearInterval(sending);
    expect(description).toContain(' 8 kb/s');
    expect(await ended.promise).toBe('refused');
  });
});

describe('waiting', () => {
  test('for the handshake, and for publish', async () => {
    const { port, server, advance } = await start();
    const silent = await rawConnection(port);
    const idle = await RtmpPublisher.connect({ port, key: 'key' });
    idle.sendRaw(Buffer.concat([rtmp.handshake(), rtmp.connect()]));
    await expect.poll(() => idle.userControls.size + server.counters.bytesReceived).toBeGreaterThan(3073);
    advance(8001);
    await silent.closed;
    expect(idle.isClosed).toBe(false);
    advance(2000);
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

  test('RTMPS, also behind PROXY protocol', async () => {
    const tls = { port: 0, ...certificate() };
    const { securePort, streams, server } = await start({ tls });
    const secure = await RtmpPublisher.publish({ port: securePort, key: 'secure', tls: true });
    secure.send({ kind: 'video', timestampMs: 0, body: rtmp.videoBody(20_000) });
    await only(streams).received(1);
    await secure.unpublish();
    expect((await only(streams).ended).end).toBe('goodbye');
    await expect(RtmpPublisher.publish({ port: securePort, key: 'plain' })).rejects.toThrow('closed');
    expect(server.counters.protocolErrors.tls).toBe(1);

    const proxied = await start({ tls, proxyProtocol: true });
    await RtmpPublisher.publish({ port: proxied.securePort, key: 'key', tls: true, preamble: proxyHeader });
    expect(only(proxied.streams).request.clientAddress).toBe('198.51.100.7');
  });

  test('a taken port and a bad certificate are told', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow('EADDRINUSE');
    await expect(start({ tls: { port: 0, cert: 'x', key: 'y' } })).rejects.toThrow(/PEM/);
  });
});
