/**
 * Servers that go: one that a person drains lets its shows run out, one that is alone ends them. Handing streams over is
 * in fleet.test.ts.
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
  fleet = await Fleet.start({ streamIds: ['stays', 'elsewhere', 'lonely'], transcoders: 2 });
});

afterAll(async () => {
  if (isFull) await fleet.close();
});

describe('a server that goes', () => {
  test('by the word of a person lets its shows run out, and passes newcomers on', async (context) => {
    if (!isFull) context.skip('needs script/test --full');
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

  test('as the last one ends its shows, and serves their last segments', async (context) => {
    if (!isFull) context.skip('needs script/test --full');
    await fleet.transcoder(0).stop('SIGKILL');
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
