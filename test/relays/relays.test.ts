/**
 * Relays over real sockets: to our own ingest server as any RTMP server, and to targets that refuse, hang, drop and stop
 * reading (FAULTS row 44).
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { FakeClock } from '../../transcoder/stream/testing/fake_clock.ts';
import { cleanUp, certificate, start } from '../ingest/ingest_fixture.ts';
import type { Running, Stream } from '../ingest/ingest_fixture.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startFreezingProxy } from '../one_machine/freezing_proxy.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { OddTarget, openRelays } from './relay_stage.ts';
import type { RelayedSession } from './relay_stage.ts';

const KEY = 'key-of-the-target-1';
const SECRETS = { 'the target key': KEY, 'the odd key': 'key-of-an-odd-target' };

let source: TestSource;
const closers: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  source = await makeTestSource();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await cleanUp();
});

function open(options: Parameters<typeof openRelays>[0] = {}): RelayedSession {
  const session = openRelays(options);
  closers.push(() => session.relays.ended('ended'));
  return session;
}

async function odd(act: Parameters<typeof OddTarget.listen>[0]): Promise<OddTarget> {
  const target = await OddTarget.listen(act);
  closers.push(() => target.close());
  return target;
}

const urlOf = (server: Running, key = KEY): string => `rtmp://127.0.0.1:${server.port}/live/${key}?a=b`;

/** The source's headers, then its frames up to a time. */
function feed({ relays }: RelayedSession, fromMs: number, toMs: number, withHeaders = fromMs === 0): void {
  if (withHeaders) for (const header of source.headers) relays.media(header);
  for (const frame of source.frames) {
    if (frame.timestampMs >= fromMs && frame.timestampMs < toMs) relays.media(frame);
  }
}

const shown = ({ kind, timestampMs, body }: MediaTag): string => `${kind} ${timestampMs} ${body.toString('base64')}`;

async function streamAt(server: Running, index: number): Promise<Stream> {
  return eventually(`connection ${index + 1} publishes`, 5000, () => server.streams[index]);
}

async function lastTag(stream: Stream, timestampMs: number): Promise<void> {
  await eventually(`the tag at ${timestampMs} ms arrived`, 5000, () =>
    stream.tags.some((tag) => tag.kind === 'video' && tag.timestampMs >= timestampMs),
  );
}

describe('a copy relay', () => {
  test('sends what came, byte for byte, from the first key frame on', async () => {
    const server = await start();
    const session = open();
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    feed(session, 0, 500);
    const stream = await streamAt(server, 0);
    expect(stream.request).toMatchObject({ app: 'live', streamKey: KEY, query: { a: 'b' } });
    feed(session, 500, 2000);
    await lastTag(stream, 1950);
    const first = source.frames.findIndex((tag) => tag.kind === 'video');
    const frames = source.frames.slice(first).filter((tag) => tag.timestampMs < 2000);
    const media = stream.tags.filter((tag) => tag.kind !== 'metadata').map(shown);
    const headers = source.headers.filter((tag) => tag.kind !== 'metadata');
    expect(media.slice(headers.length)).toEqual(frames.map(shown));
    expect(stream.tags.slice(0, 3).map(({ body }) => body)).toEqual(source.headers.map(({ body }) => body));
    expect(session.counters).toMatchObject({ states: { live: 1 }, published: 1, droppedMessages: 0 });
    await session.relays.ended('ended');
    expect(await stream.ended).toMatchObject({ end: 'goodbye' });
    expect(session.counters.states).toEqual({ connecting: 0, live: 0, failing: 0 });
    expect(session.notifications).toEqual([]);
    assertNoSecret(session.logged(), SECRETS);
  });

  test('keeps its connection while the publisher is away for a moment, and time goes on', async () => {
    const server = await start();
    const session = open();
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    feed(session, 0, 1000);
    const stream = await streamAt(server, 0);
    await lastTag(stream, 950);
    session.relays.publisherLeft();
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    feed(session, 0, 1000);
    await lastTag(stream, 1900);
    const times = stream.tags.filter((tag) => tag.kind === 'video').map(({ timestampMs }) => timestampMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(server.streams).toHaveLength(1);
    expect(session.counters.published).toBe(1);
  });

  test('says goodbye when the publisher stays away, and comes back with it', async () => {
    const clock = new FakeClock();
    const server = await start();
    const session = open({ clock });
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    feed(session, 0, 500);
    const stream = await streamAt(server, 0);
    session.relays.publisherLeft();
    await clock.pass(29_000);
    expect(session.counters.states.live).toBe(1);
    await clock.pass(1500);
    expect(await stream.ended).toMatchObject({ end: 'goodbye' });
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    await streamAt(server, 1);
    expect(session.notifications).toEqual([]);
  });

  test('follows what the publisher asks for when it comes back', async () => {
    const server = await start();
    const session = open();
    session.arrive([
      { name: 'one', url: urlOf(server) },
      { name: 'two', url: urlOf(server, 'key-of-the-target-2') },
    ]);
    await streamAt(server, 1);
    session.relays.publisherLeft();
    session.arrive([
      { name: 'one', url: urlOf(server) },
      { name: 'two', url: urlOf(server, 'key-of-the-target-3') },
    ]);
    await streamAt(server, 2);
    const ended = server.streams.find(({ request }) => request.streamKey === 'key-of-the-target-2');
    expect(await ended?.ended).toMatchObject({ end: 'goodbye' });
    expect(session.counters.states).toEqual({ connecting: 0, live: 2, failing: 0 });
  });

  test('speaks TLS, and only to whom it can trust', async () => {
    const { cert, key } = certificate();
    const server = await start({ tls: { port: 0, cert, key } });
    const url = `rtmps://localhost:${server.securePort}/live/${KEY}`;
    const trusting = open({ ca: cert.toString() });
    trusting.arrive([{ name: 'one', url }]);
    feed(trusting, 0, 500);
    await lastTag(await streamAt(server, 0), 450);
    const wary = open();
    wary.arrive([{ name: 'one', url }]);
    await eventually('it fails', 5000, () => wary.counters.states.failing === 1);
    expect(wary.counters.failures.tls).toBe(1);
    expect(wary.notifications[0]?.data).toEqual({
      relay: 'one',
      state: 'failing',
      class: 'tls',
      reason: 'TLS with the target failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
    });
    expect(server.streams).toHaveLength(1);
  });
});

describe('targets that misbehave', () => {
  test('each fails alone, is retried with growing pauses, and is told once', async () => {
    const clock = new FakeClock();
    const server = await start();
    const dropping = await odd((socket) => socket.destroy());
    const hanging = await odd(() => undefined);
    const rude = await odd((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const session = open({ clock });
    session.arrive([
      { name: 'dropping', url: dropping.url },
      { name: 'hanging', url: hanging.url },
      { name: 'rude', url: rude.url },
      { name: 'closed', url: 'rtmp://127.0.0.1:1/live/key-of-an-odd-target' },
      { name: 'wrong', url: urlOf(server, 'wrong-key-of-the-target') },
      { name: 'good', url: urlOf(server) },
    ]);
    feed(session, 0, 1000);
    const stream = await streamAt(server, 0);
    await eventually('four have failed', 5000, () => session.counters.states.failing === 4);
    await clock.pass(10_500);
    await eventually('all have failed', 5000, () => session.notifications.length === 5);
    feed(session, 1000, 2000);
    await lastTag(stream, 1950);
    expect(session.counters.states.live).toBe(1);
    for (let round = 0; round < 3; round += 1) {
      await clock.pass(60_000);
      await eventually('it was tried again', 5000, () => dropping.connections >= round + 2);
    }
    expect(session.notifications.map(({ data }) => `${data['relay']} ${data['class']}`).toSorted()).toEqual([
      'closed connect',
      'dropping closed',
      'hanging timeout',
      'rude protocol',
      'wrong rejected',
    ]);
    expect(new Set(session.notifications.map(({ id }) => id)).size).toBe(5);
    expect(session.notifications[0]).toMatchObject({ type: 'relay.failed', streamId: 'demo', epoch: 7 });
    assertNoSecret(session.logged() + JSON.stringify(session.notifications), {
      ...SECRETS,
      wrong: 'wrong-key-of-the-target',
    });
  });

  test('one that comes back gets the stream from the last key frame on, and a later failure is told again', async () => {
    const clock = new FakeClock();
    const server = await start();
    const session = open({ clock });
    session.arrive([{ name: 'one', url: urlOf(server) }]);
    feed(session, 0, 1500);
    const stream = await streamAt(server, 0);
    stream.connection.close();
    await eventually('it fails', 5000, () => session.counters.states.failing === 1);
    feed(session, 1500, 2000);
    await clock.pass(600);
    const again = await streamAt(server, 1);
    await lastTag(again, 1950);
    expect(again.tags.find((tag) => tag.kind === 'video' && tag.body[1] === 1)?.timestampMs).toBe(1021);
    expect(session.notifications).toHaveLength(1);
    await clock.pass(31_000);
    again.connection.close();
    await eventually('it is told', 5000, () => session.notifications.length === 2);
  });

  test('one that stops reading costs bounded memory, loses media, and is given up; the others lose nothing', async () => {
    const clock = new FakeClock();
    const server = await start({ limits: { bitrate: 1e12 } });
    const proxy = await startFreezingProxy(server.port);
    closers.push(() => proxy.close());
    const session = open({ clock });
    session.arrive([
      { name: 'frozen', url: `rtmp://127.0.0.1:${proxy.port}/live/key-of-an-odd-target` },
      { name: 'good', url: urlOf(server) },
    ]);
    feed(session, 0, 40);
    await streamAt(server, 1);
    const good = server.streams.find(({ request }) => request.streamKey === KEY);
    proxy.freeze();
    // 32 MB: more than the sockets and the queue hold.
    const body = Buffer.concat([Buffer.from([0x17, 1, 0, 0, 0]), Buffer.alloc(1024 * 1024, 7)]);
    for (let count = 1; count <= 32; count += 1) {
      session.relays.media({ kind: 'video', timestampMs: 40 * count, body });
      await eventually('the good one has it', 5000, () => good?.tags.at(-1)?.timestampMs === 40 * count);
    }
    expect(session.counters.droppedMessages).toBeGreaterThan(10);
    expect(session.counters.states.live).toBe(2);
    await clock.pass(17_000);
    expect(session.counters.states).toEqual({ connecting: 0, live: 1, failing: 1 });
    expect(session.notifications.map(({ data }) => data)).toMatchObject([{ relay: 'frozen', class: 'stalled' }]);
  });
});
