/** Ingest over real sockets: what a publisher sends arrives, and how it leaves is told. */
import { afterEach, describe, expect, test } from 'vitest';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { RtmpPublisher } from '../rtmp_publisher.ts';
import { cleanUp, only, rawConnection, start } from './ingest_fixture.ts';
import * as rtmp from './rtmp_bytes.ts';

afterEach(cleanUp);

/** One message inside an aggregate (RTMP 1.0 section 7.1.6). */
const sub = (type: number, timestamp: number, body: Buffer): Buffer =>
  Buffer.concat([
    rtmp.bytes(type),
    rtmp.u24(body.length),
    rtmp.u24(timestamp),
    Buffer.alloc(4),
    body,
    rtmp.u32(11 + body.length),
  ]);

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
    const tags: MediaTag[] = [];
    const asked = Promise.withResolvers<void>();
    const decided = Promise.withResolvers<void>();
    const { port } = await start({
      accept: async () => {
        asked.resolve();
        await decided.promise;
        return { media: (tag) => tags.push(tag), ended: () => undefined };
      },
    });
    const publisher = await RtmpPublisher.connect({ port, key: 'key' });
    publisher.sendRaw(Buffer.concat([rtmp.publishing('key'), rtmp.video(1), rtmp.video(2), rtmp.goodbye('key')]));
    await asked.promise;
    expect(publisher.statuses).toStrictEqual([]);
    decided.resolve();
    await publisher.waitForStatus('NetStream.Unpublish.Success');
    expect(tags.map(({ timestampMs }) => timestampMs)).toStrictEqual([1, 2]);
    expect(publisher.statuses.map(({ code }) => code)).toStrictEqual([
      'NetStream.Publish.Start',
      'NetStream.Unpublish.Success',
    ]);
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
