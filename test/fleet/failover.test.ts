/**
 * The show goes on when its server dies, resets its publisher or is full: three transcoders, one edge, an encoder that
 * connects again after 2 s, and viewers that check every playlist and segment.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { Fleet, keyOf } from './fleet.ts';
import { RetryingPublisher } from './retrying_publisher.ts';

/** FAULTS rows 11 and 13: the longest that a viewer may stand still, ms. */
const KILLED_MS = 15_000;
const MOVED_MS = 12_000;

let source: TestSource;
let fleet: Fleet;
const publishers: RetryingPublisher[] = [];

beforeAll(async () => {
  source = await makeTestSource();
  fleet = await Fleet.start({ streamIds: ['killed', 'reset', 'resident', 'passed', 'late'], transcoders: 3 });
});

afterAll(async () => {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await fleet.close();
});

/** @param order of the transcoders that it tries */
async function publish(streamId: string, order: readonly number[]): Promise<RetryingPublisher> {
  const ports = order.map((index) => fleet.rtmpPort(index));
  const publisher = new RetryingPublisher({ ports, key: keyOf(streamId), source });
  publishers.push(publisher);
  await publisher.publishing;
  return publisher;
}

function secondEpoch(viewer: CheckingViewer): Promise<void> {
  return viewer.waitFor('3 segments of the second server', 40_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 3);
}

describe.concurrent('a session goes on', () => {
  test('on another server when its publisher is reset', async () => {
    const publisher = await publish('reset', [1, 2]);
    const viewer = fleet.follow('reset', '180p', true);
    await viewer.waitForSegments(3, 30_000);
    const before = await fleet.status('reset');
    await publisher.reset();
    await secondEpoch(viewer);
    expect(await fleet.status('reset')).toMatchObject({ state: 'live', sessionId: before?.sessionId });
    expect(viewer.epochs).toHaveLength(2);
    expect(viewer.longestQuietMs).toBeLessThan(MOVED_MS);
    console.info(`publisher reset, back on another server: quiet for ${Math.round(viewer.longestQuietMs)} ms`);
    expect(await viewer.verdict()).toEqual([]);
    expect(fleet.logged(1, 'the session has ended').at(-1)).toMatchObject({ how: 'moved' });
  });

  test('on another server when its own is killed', async () => {
    await publish('killed', [0, 1]);
    const viewer = fleet.follow('killed', '180p', true);
    await viewer.waitForSegments(3, 30_000);
    const before = await fleet.status('killed');
    fleet.transcoder(0).child.kill('SIGKILL');
    await secondEpoch(viewer);
    expect(await fleet.status('killed')).toMatchObject({ state: 'live', sessionId: before?.sessionId });
    expect(viewer.longestQuietMs).toBeLessThan(KILLED_MS);
    console.info(`server killed: quiet for ${Math.round(viewer.longestQuietMs)} ms`);
    expect(await viewer.verdict()).toEqual([]);
  });
});
