/**
 * Redis, the local Invoke endpoint, transcoders and the edge as processes of their own: what is published to any of them
 * plays.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { Fleet, keyOf } from './fleet.ts';

let source: TestSource;
let fleet: Fleet;

beforeAll(async () => {
  source = await makeTestSource();
  fleet = await Fleet.start({ streamIds: ['one', 'two', 'taken'], transcoders: 2 });
});

afterAll(async () => {
  await fleet.close();
});

describe('two transcoders', () => {
  test.each([
    [0, 'one'],
    [1, 'two'],
  ])('what is published to transcoder %i plays', async (index, streamId) => {
    const publisher = await PacedPublisher.start({ port: fleet.rtmpPort(index), key: keyOf(streamId), source });
    const viewer = fleet.follow(streamId);
    await viewer.waitForSegments(3, 20_000);
    expect(await fleet.status(streamId)).toMatchObject({ live: true, state: 'live' });
    expect(await viewer.verdict()).toEqual([]);
    await publisher.sayGoodbye();
  });

  test('a second publisher on another server is refused at once while the first is healthy', async () => {
    const first = await PacedPublisher.start({ port: fleet.rtmpPort(0), key: keyOf('taken'), source });
    const viewer = fleet.follow('taken');
    await viewer.waitForSegments(2, 20_000);
    const askedAtMs = performance.now();
    const second = PacedPublisher.start({ port: fleet.rtmpPort(1), key: keyOf('taken'), source });
    const refusal = await second.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RtmpRefused);
    expect(String(refusal)).toContain('NetStream.Publish.BadName: stream taken is already live from another connection');
    expect(performance.now() - askedAtMs).toBeLessThan(2000);
    await viewer.waitForSegments(2, 20_000);
    expect(viewer.epochs).toHaveLength(1);
    expect(await viewer.verdict()).toEqual([]);
    await first.sayGoodbye();
  });
});
