/**
 * Redis, the local Invoke endpoint, transcoders and the edge as processes of their own: what is published to any of them
 * plays, and goes on when its server is full, is killed, loses its publisher or goes. One fleet for all of it; the cases
 * begin together and keep to servers of their own.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { eventually } from '../one_machine/eventually.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { openPlayer } from '../players/player_page.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { Fleet, keyOf } from './fleet.ts';
import { withoutLostMedia } from './lost_media.ts';
import { PictureWatch } from './picture_watch.ts';
import { RetryingPublisher } from './retrying_publisher.ts';

/** FAULTS rows 11, 13 and 22: the longest that a viewer may stand still, ms. */
const KILLED_MS = 15_000;
const MOVED_MS = 12_000;
/** FAULTS row 22: within this time the streams are handed over, ms. */
const HANDED_OVER_MS = 45_000;
const [DYING, LEAVING, STAYING, SMALL] = [0, 1, 2, 3] as const;
const MOVING = ['moving-1', 'moving-2', 'moving-3'];

let source: TestSource;
let fleet: Fleet;
const publishers: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  source = await makeTestSource();
  const streamIds = ['one', 'two', 'taken', 'killed', 'reset', 'resident', 'passed', 'enhanced', ...MOVING];
  fleet = await Fleet.start({ streamIds, transcoders: 3 });
  await fleet.addTranscoder('t4', { HW_MAX_STREAMS: '1' });
});

afterAll(async () => {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await fleet.close();
});

/** @param order of the transcoders that it tries, one after the other */
async function publishForEver(streamId: string, order: readonly number[]): Promise<RetryingPublisher> {
  const ports = order.map((index) => fleet.rtmpPort(index));
  const publisher = new RetryingPublisher({ ports, key: keyOf(streamId), source });
  publishers.push(publisher);
  await publisher.publishing;
  return publisher;
}

function publish(streamId: string, index: number): Promise<PacedPublisher> {
  return PacedPublisher.start({ port: fleet.rtmpPort(index), key: keyOf(streamId), source });
}

function nextServer(viewer: CheckingViewer): Promise<void> {
  const what = '2 segments of the next server';
  return viewer.waitFor(what, HANDED_OVER_MS, () => (viewer.epochs[1]?.segments.length ?? 0) >= 2);
}

/** What a checking viewer complains of, but for media that its server took with it. */
async function complaints(viewer: CheckingViewer): Promise<readonly string[]> {
  return withoutLostMedia(await viewer.verdict(), viewer);
}

describe.concurrent('several transcoders', () => {
  test.each([
    ['one', STAYING],
    ['two', LEAVING],
  ])('stream %s plays, published to transcoder %i', async (streamId, index) => {
    const publisher = await publish(streamId, index);
    const viewer = fleet.follow(streamId);
    await viewer.waitForSegments(3, 30_000);
    expect(await fleet.status(streamId)).toMatchObject({ live: true, state: 'live' });
    expect(await viewer.verdict()).toEqual([]);
    await publisher.sayGoodbye();
  });

  test('a second publisher on another server is refused at once while the first is healthy', async () => {
    const first = await publish('taken', LEAVING);
    const viewer = fleet.follow('taken');
    await viewer.waitForSegments(2, 30_000);
    const askedAtMs = performance.now();
    const refusal = await publish('taken', STAYING).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RtmpRefused);
    expect(String(refusal)).toContain('NetStream.Publish.BadName: stream taken is already live');
    expect(performance.now() - askedAtMs).toBeLessThan(3000);
    await viewer.waitForSegments(2, 20_000);
    expect(viewer.epochs).toHaveLength(1);
    expect(await viewer.verdict()).toEqual([]);
    await first.sayGoodbye();
  });

  test('a full one passes a publisher on', async () => {
    const resident = await publish('resident', SMALL);
    // Its peers are named in the answer to a heartbeat.
    const passed = await eventually('the full server has heard of peers', 10_000, () =>
      publish('passed', SMALL).catch(() => false as const),
    );
    const viewer = fleet.follow('passed');
    await viewer.waitForSegments(2, 30_000);
    expect(fleet.logged(SMALL, 'ingest: passed on to a peer')).toHaveLength(1);
    expect(fleet.logged(SMALL, 'publisher accepted')).toHaveLength(1);
    expect(await viewer.verdict()).toEqual([]);
    await Promise.all([resident, passed].map((publisher) => publisher.sayGoodbye()));
  });

  test('a publisher that is reset goes on with another one', async () => {
    const publisher = await publishForEver('reset', [LEAVING, STAYING]);
    const viewer = fleet.follow('reset', '180p', true);
    await viewer.waitForSegments(3, 30_000);
    const before = await fleet.status('reset');
    await publisher.reset();
    await nextServer(viewer);
    expect(await fleet.status('reset')).toMatchObject({ state: 'live', sessionId: before?.sessionId });
    expect(viewer.longestQuietMs).toBeLessThan(MOVED_MS);
    expect(viewer.epochs).toHaveLength(2);
    expect(await complaints(viewer)).toEqual([]);
    await publisher.stop();
  });

  test('a killed one costs hls.js some seconds', async () => {
    await publishForEver('killed', [DYING, STAYING]);
    const viewer = fleet.follow('killed', '180p', true);
    await viewer.waitForSegments(3, 30_000);
    const before = await fleet.status('killed');
    const tab = await openPlayer('hls.js', `${fleet.origin}/killed/live.m3u8`);
    const picture = await PictureWatch.start(tab);
    await picture.reset();
    fleet.transcoder(DYING).child.kill('SIGKILL');
    await nextServer(viewer);
    const frames = await picture.frames();
    await eventually('the picture moves', 20_000, async () => (await picture.frames()) > frames + 30);
    expect(await picture.longestMs()).toBeLessThan(KILLED_MS);
    expect((await tab.errors()).filter((error) => error.startsWith('fatal'))).toEqual([]);
    expect(await fleet.status('killed')).toMatchObject({ state: 'live', sessionId: before?.sessionId });
    expect(viewer.longestQuietMs).toBeLessThan(KILLED_MS);
    expect(await complaints(viewer)).toEqual([]);
    await tab.close();
  });
});

describe('a server that goes', () => {
  test('hands its streams over to another one while viewers watch, and serves on', async () => {
    for (const streamId of MOVING) await publishForEver(streamId, [LEAVING, STAYING]);
    // This one understands that it is asked to go.
    const enhanced = await PacedPublisher.start({
      port: fleet.rtmpPort(LEAVING),
      key: keyOf('enhanced'),
      capsEx: 1,
      source,
    });
    const viewers = MOVING.map((streamId) => fleet.follow(streamId, '180p', true));
    await Promise.all(viewers.map((viewer) => viewer.waitForSegments(3, 30_000)));
    const before = await Promise.all(MOVING.map((streamId) => fleet.status(streamId)));
    const leaving = fleet.transcoder(LEAVING);
    leaving.child.kill('SIGTERM');
    await enhanced.rtmp.waitForStatus('NetConnection.Connect.ReconnectRequest');
    const again = await publish('enhanced', STAYING);
    await enhanced.sayGoodbye();
    await Promise.all(viewers.map(nextServer));
    const after = await Promise.all(MOVING.map((streamId) => fleet.status(streamId)));
    expect(after.map((status) => status?.sessionId)).toEqual(before.map((status) => status?.sessionId));
    for (const viewer of viewers) {
      expect(viewer.longestQuietMs).toBeLessThan(MOVED_MS);
      expect(viewer.epochs).toHaveLength(2);
      expect(await complaints(viewer)).toEqual([]);
    }
    // Viewers who are behind still get what was made there.
    expect(leaving.child.exitCode).toBeNull();
    await again.sayGoodbye();
  });
});
