/**
 * Publishers that come to a server which takes no more: three transcoders with room for one stream each.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import { eventually } from '../one_machine/eventually.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { Fleet, keyOf } from './fleet.ts';

let source: TestSource;
let fleet: Fleet;

beforeAll(async () => {
  if (!isFull) return;
  source = await makeTestSource();
  fleet = await Fleet.start({
    streamIds: ['one', 'two', 'three', 'four'],
    transcoders: 3,
    env: { HW_MAX_STREAMS: '1' },
  });
});

afterAll(async () => {
  if (isFull) await fleet.close();
});

/** Always to the first server. */
function publish(streamId: string): Promise<PacedPublisher> {
  return PacedPublisher.start({ port: fleet.rtmpPort(0), key: keyOf(streamId), source });
}

/** The first server has heard that so many others have room. */
async function peersKnown(count: number): Promise<void> {
  const { nodes } = fleet.redis;
  await eventually(`${count} servers have room`, 10_000, async () => {
    return (await nodes[0]?.zcard('hw:{fleet}:load')) === count;
  });
  // What is in the registry is told with the next heartbeat's answer.
  await new Promise((resolve) => setTimeout(resolve, 3200));
}

describe('a full server', () => {
  test('passes publishers on to peers with room, and refuses only when there is none', async (context) => {
    if (!isFull) context.skip('needs script/test --full');
    const here = await publish('one');
    await peersKnown(2);
    const passed = [await publish('two'), await publish('three')];
    const viewers = ['one', 'two', 'three'].map((streamId) => fleet.follow(streamId));
    await Promise.all(viewers.map((viewer) => viewer.waitForSegments(2, 30_000)));
    expect([0, 1, 2].map((index) => fleet.logged(index, 'publisher accepted').length)).toEqual([1, 1, 1]);
    expect(fleet.logged(0, 'ingest: passed on to a peer')).toHaveLength(2);
    await expect(publish('four')).rejects.toThrow(
      'NetStream.Publish.Denied: this server is full: it serves 1 streams, and no other one is ready; try again',
    );
    // Its own publisher comes back from the same address, and is taken back here.
    await here.reset();
    const back = await publish('one');
    expect(fleet.logged(0, 'publisher accepted')).toHaveLength(2);
    for (const viewer of viewers) await viewer.waitForSegments(3, 20_000);
    for (const viewer of viewers) expect(await viewer.verdict()).toEqual([]);
    await Promise.all([back, ...passed].map((publisher) => publisher.sayGoodbye()));
  });
});
