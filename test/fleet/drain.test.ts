/**
 * Servers that go: SIGTERM hands running streams over to another one while viewers watch; a server that is alone ends
 * its shows; one that a person drains lets them run out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../one_machine/eventually.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { Fleet, keyOf } from './fleet.ts';
import { RetryingPublisher } from './retrying_publisher.ts';

/** FAULTS row 22: within this time the streams are handed over, ms. */
const HANDED_OVER_MS = 45_000;
/** As for a publisher that is reset and comes back elsewhere, FAULTS row 13. */
const STALL_MS = 12_000;
const MOVING = ['one', 'two', 'three'];

let source: TestSource;
let fleet: Fleet;
const publishers: RetryingPublisher[] = [];

beforeAll(async () => {
  source = await makeTestSource();
  fleet = await Fleet.start({ streamIds: [...MOVING, 'stays', 'elsewhere', 'lonely'], transcoders: 2 });
});

afterAll(async () => {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await fleet.close();
});

describe('a server that goes', () => {
  test('by the word of a person lets its shows run out, and passes newcomers on', async () => {
    const stays = await PacedPublisher.start({ port: fleet.rtmpPort(1), key: keyOf('stays'), source });
    const viewer = fleet.follow('stays');
    await viewer.waitForSegments(1, 20_000);
    expect(await fleet.operate('drain', 't2')).toContain('done');
    await eventually('t2 has heard of it', 8000, () => fleet.logged(1, 'draining').length > 0);
    const newcomer = await PacedPublisher.start({ port: fleet.rtmpPort(1), key: keyOf('elsewhere'), source });
    expect(fleet.logged(1, 'ingest: passed on to a peer')).toHaveLength(1);
    expect(fleet.logged(0, 'publisher accepted')).toHaveLength(1);
    await viewer.waitForSegments(2, 20_000);
    expect(viewer.epochs).toHaveLength(1);
    expect(await viewer.verdict()).toEqual([]);
    expect(await fleet.operate('drain', 't2', '--undo')).toContain('done');
    await eventually('t2 has heard of it', 8000, () => fleet.logged(1, 'draining no more').length > 0);
    await Promise.all([stays.sayGoodbye(), newcomer.sayGoodbye()]);
  });

  test('by SIGTERM hands its streams over to another one, and serves on', async () => {
    const ports = [fleet.rtmpPort(0), fleet.rtmpPort(1)];
    for (const streamId of MOVING) publishers.push(new RetryingPublisher({ ports, key: keyOf(streamId), source }));
    await Promise.all(publishers.map((publisher) => publisher.publishing));
    const viewers = MOVING.map((streamId) => fleet.follow(streamId, '180p', true));
    await Promise.all(viewers.map((viewer) => viewer.waitForSegments(3, 30_000)));
    const before = await Promise.all(MOVING.map((streamId) => fleet.status(streamId)));
    const leaving = fleet.transcoder(0);
    const askedAtMs = performance.now();
    leaving.child.kill('SIGTERM');
    await Promise.all(
      viewers.map((viewer) =>
        viewer.waitFor('2 segments of the other server', HANDED_OVER_MS, () => {
          return (viewer.epochs[1]?.segments.length ?? 0) >= 2;
        }),
      ),
    );
    expect(performance.now() - askedAtMs).toBeLessThan(HANDED_OVER_MS);
    const after = await Promise.all(MOVING.map((streamId) => fleet.status(streamId)));
    expect(after.map((status) => status?.sessionId)).toEqual(before.map((status) => status?.sessionId));
    const quiet = viewers.map((viewer) => Math.round(viewer.longestQuietMs));
    console.info(`handed over: quiet for ${quiet.join(', ')} ms`);
    for (const viewer of viewers) {
      expect(viewer.longestQuietMs).toBeLessThan(STALL_MS);
      expect(viewer.epochs).toHaveLength(2);
      expect(await viewer.verdict()).toEqual([]);
    }
    // Viewers who are behind still get what was made there.
    expect(leaving.child.exitCode).toBeNull();
    await leaving.stop('SIGINT');
  });

  test('as the last one ends its shows, and serves their last segments', async () => {
    await eventually('t2 knows that it is alone', 15_000, async () => {
      return (await fleet.redis.nodes[0]?.zcard('hw:{fleet}:load')) === 1;
    });
    const lonely = await PacedPublisher.start({ port: fleet.rtmpPort(1), key: keyOf('lonely'), source });
    const viewer = fleet.follow('lonely');
    await viewer.waitForSegments(2, 20_000);
    const stoppedAtMs = performance.now();
    const exited = fleet.transcoder(1).stop('SIGTERM');
    await viewer.waitFor('ENDLIST', 10_000, () => viewer.ended);
    expect(await exited).toBe(0);
    expect(performance.now() - stoppedAtMs).toBeLessThan(12_000);
    expect(await viewer.verdict()).toEqual([]);
    await lonely.rtmp.closed;
  });
});
