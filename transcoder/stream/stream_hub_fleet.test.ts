/** The hub as one of many: peers, drains, streams that go elsewhere, and what publishers are told. */
import { describe, expect, test } from 'vitest';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import { settled } from './testing/fake_clock.ts';
import { DEMO, publish, publisher, start } from './testing/hub_fixture.ts';

const PEER = { serverId: 'peer', ingest: 'peer:1935', streams: 0 };
const RENDITION = '360p' as RenditionName;
const NEVER = new AbortController().signal;

describe('a server among others', () => {
  test('passes publishers on once it is full, but for those that may be coming back', async () => {
    const { clock, control, hub, accept } = start({}, 1);
    control.answer = { peers: [PEER] };
    await clock.pass(3000);
    expect(hub.passOnTo('10.0.0.1')).toEqual([]);
    const sink = await accept('demo', publisher('10.0.0.1'));
    await publish(sink, clock);
    expect(hub.passOnTo('10.0.0.1')).toEqual(['peer:1935']);
    expect(control.heartbeats.at(-1)?.capacity).toMatchObject({ streams: 1, maxStreams: 1, ready: false });
    sink.ended('lost', 'reset');
    expect(hub.passOnTo('10.0.0.1')).toEqual([]);
    expect(hub.passOnTo('10.0.0.2')).toEqual(['peer:1935']);
    await expect(accept('other')).rejects.toThrow('this server is full: it serves 1 streams');
    await accept('demo', publisher('10.0.0.1'));
  });

  test('tells the registry at once when a shape is known', async () => {
    const { clock, control, accept } = start();
    const sink = await accept();
    const before = control.heartbeats.length;
    await publish(sink, clock);
    expect(control.heartbeats.length).toBeGreaterThan(before);
    expect(control.heartbeats.find(({ streams }) => streams[0]?.shape !== undefined)).toBeDefined();
  });

  test('drains at the word of a person, and takes that back', async () => {
    const { clock, control, hub, accept } = start();
    await publish(await accept(), clock);
    control.answer = { drain: true, peers: [PEER] };
    await clock.pass(3000);
    expect(hub.draining).toBe(true);
    expect(hub.passOnTo('10.0.0.1')).toEqual(['peer:1935']);
    await expect(accept('other')).rejects.toThrow('this server is going away');
    expect(hub.liveStreams[0]?.state).toBe('live');
    await clock.pass(3000);
    expect(control.heartbeats.at(-1)?.capacity).toMatchObject({ ready: false, draining: true });
    control.answer = {};
    await clock.pass(6000);
    expect(hub.draining).toBe(false);
    await accept('other');
  });

  test('hands a stream over: the lease first, then the publisher, and no number twice', async () => {
    const { clock, control, hub, accept } = start();
    const connection = publisher();
    await publish(await accept('demo', connection), clock);
    const handedOver = hub.handOver(0);
    await clock.pass(4000);
    await handedOver;
    expect(connection.said).toEqual(['NetConnection.Connect.AppShutdown: This server is going away: connect again.']);
    const [release] = control.releases;
    expect(control.releases).toHaveLength(1);
    expect(release).toMatchObject({ reason: 'moving', streamId: 'demo' });
    expect(release?.report.nextMsn).toBe((hub.liveStreams[0]?.report().nextMsn ?? 0) + 11);
  });

  test('asks an encoder that can to connect again, and lets it send until it does', async () => {
    const { clock, hub, accept } = start();
    const asked: string[] = [];
    const connection = { ...publisher(), requestReconnect: (text: string) => asked.push(text) > 0 };
    const sink = await accept('demo', connection);
    await publish(sink, clock);
    void hub.handOver(0);
    await clock.pass(4000);
    expect(asked).toHaveLength(1);
    expect(connection.said).toEqual([]);
    sink.ended('goodbye', 'it went to the other one');
    await clock.pass(10_000);
    expect(connection.said).toEqual([]);
    expect(hub.liveStreams[0]?.state).toBe('interrupted');
  });

  test('that has lost a stream publishes it no more, serves its media, and writes no end', async () => {
    const { clock, control, hub, sessions, accept } = start();
    const connection = publisher();
    await publish(await accept('demo', connection), clock);
    control.answer = { lost: [{ streamId: DEMO, epoch: 1 as Epoch, reason: 'superseded' }] };
    await clock.pass(3000);
    control.answer = {};
    expect(connection.said).toEqual(['NetStream.Publish.Rejected: another server has the stream']);
    expect(control.releases).toEqual([]);
    const view = hub.find(DEMO);
    expect(view?.status()).toMatchObject({ live: true, state: 'interrupted' });
    expect(await view?.mediaPlaylist(RENDITION, { skip: false }, NEVER)).toEqual({ outcome: 'not-found' });
    expect(await view?.multivariant(NEVER)).toBeUndefined();
    expect(hub.empty).toBe(false);
    // It may come back: the registry gives the same session again.
    await accept();
    expect(sessions).toHaveLength(2);
    expect(hub.find(DEMO)?.status()).toMatchObject({ live: true, state: 'starting' });
    await clock.pass(120_000);
    expect(hub.liveStreams).toHaveLength(1);
  });

  test.each([
    ['revoked', 'the stream key was revoked'],
    ['ended', 'the show was ended by its operator'],
  ] as const)('whose operator says %s cuts the publisher, and says so', async (reason, told) => {
    const { clock, control, hub, accept } = start();
    const connection = publisher();
    await publish(await accept('demo', connection), clock);
    control.answer = { lost: [{ streamId: DEMO, epoch: 1 as Epoch, reason }] };
    await clock.pass(3000);
    expect(connection.said).toEqual([`NetStream.Publish.Rejected: ${told}`]);
    expect(hub.find(DEMO)?.status()).toMatchObject({ live: false, state: 'ended' });
    expect(control.releases.at(-1)).toMatchObject({ reason: 'ended', detail: told });
  });
});

describe('a newcomer', () => {
  const owned = {
    outcome: 'owned' as const,
    ownerServerId: 'peer',
    ownerAddress: { private: 'http://peer:8000' },
    ownerEpoch: 7 as Epoch,
    leaseAgeMs: 0,
  };

  test('is refused at once when the owner elsewhere is healthy', async () => {
    const { control, accept } = start();
    control.owned = { ...owned, ownerHealthy: true };
    await expect(accept()).rejects.toThrow('stream demo is already live from another connection');
    expect(control.claims).toBe(1);
  });

  test('is held while nobody knows whether the owner lives, and then let in', async () => {
    const { clock, control, accept } = start();
    control.owned = { ...owned, ownerHealthy: false };
    const waiting = accept();
    await clock.pass(7000);
    control.owned = undefined;
    await clock.pass(500);
    await waiting;
    expect(control.claims).toBeGreaterThan(10);
  });

  test('that comes back twenty times a minute is slowed down', async () => {
    const { clock, accept } = start();
    let connects = 0;
    const flap = async (): Promise<void> => {
      const sink = await accept();
      connects += 1;
      sink.ended('lost', 'reset');
    };
    for (let second = 0; second < 60; second += 3) {
      void flap();
      await clock.pass(3000);
    }
    expect(connects).toBeLessThan(17);
  });
});

describe('a publisher that comes back', () => {
  test('brings its operator’s newest word, but for what viewers were promised', async () => {
    const { clock, control, hub, accept } = start();
    const first = { streamId: DEMO, title: 'one', renditions: ['360p'], maxBitrateKbps: 1000, record: 'all' as const };
    control.grants.set('key', first);
    const sink = await accept('key');
    expect(sink.maxBitrate).toBe(1_000_000);
    await publish(sink, clock);
    sink.ended('lost', 'reset');
    await settled();
    control.grants.set('key', { ...first, title: 'two', renditions: ['720p'], maxBitrateKbps: 2000, record: 'off' });
    const back = await accept('key');
    expect(back.maxBitrate).toBe(2_000_000);
    expect(hub.liveStreams[0]?.report()).toMatchObject({ title: 'two', record: 'all', playback: 'public' });
    expect(hub.liveStreams[0]?.report().shape?.renditions.map(({ name }) => name)).toEqual(['360p']);
  });

  test('with metadata alone does not hold its place for ever', async () => {
    const { clock, accept } = start();
    const connection = publisher();
    connection.reject = (code, description) => {
      connection.said.push(`${code}: ${description}`);
      sink.ended('refused', description);
    };
    const sink = await accept('demo', connection);
    for (let second = 0; second < 32; second += 1) {
      sink.media({ kind: 'metadata', timestampMs: 0, body: Buffer.from('020003666f6f', 'hex') });
      await clock.pass(1000);
    }
    expect(connection.said).toEqual(['NetStream.Publish.Rejected: no audio and no video arrived for 30 s']);
  });

  test('too slowly is told of once a minute', async () => {
    const { clock, control, accept } = start();
    const sink = await accept('slow');
    for (let mediaMs = 0; mediaMs < 40_000; mediaMs += 500) {
      sink.media({ kind: 'audio', timestampMs: mediaMs, body: Buffer.from([0xaf, 1, 0x21]) });
      await clock.pass(1000);
    }
    const told = control.notifications.filter(({ type }) => type === 'publisher.slow');
    expect(told.map(({ data }) => data)).toEqual([{ percent: 50 }, { percent: 50 }]);
  });
});
