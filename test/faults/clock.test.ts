/**
 * A server whose clock jumps by an hour and back: who owns a stream is decided by the registry's clock alone.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Fleet, keyOf } from '../fleet/fleet.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { needsFull } from '../layers/needs_full.ts';

const LIBRARIES = ['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/faketime/libfaketime.so.1`);

test('a clock that jumps an hour on one server does not move ownership', async (context) => {
  needsFull(context);
  const library = LIBRARIES.find((path) => existsSync(path));
  if (library === undefined) context.skip('needs libfaketime (script/setup --full)');
  const folder = await mkdtemp(join(tmpdir(), 'headwater-clock-'));
  const clock = join(folder, 'clock');
  await writeFile(clock, '+0\n');
  const fleet = await Fleet.start({ streamIds: ['show'], transcoders: 1 });
  try {
    await fleet.addTranscoder('t2', {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    });
    const source = await makeTestSource();
    const publisher = await PacedPublisher.start({ port: fleet.rtmpPort(1), key: keyOf('show'), source });
    const viewer = fleet.follow('show');
    await viewer.waitForSegments(3, 30_000);
    const before = await fleet.status('show');
    for (const jump of ['+3600', '-3600', '+0']) {
      await writeFile(clock, `${jump}\n`);
      // Longer than a lease.
      await viewer.waitForSegments(6, 30_000);
      const second = PacedPublisher.start({ port: fleet.rtmpPort(0), key: keyOf('show'), source });
      await expect(second).rejects.toThrow(/already live/);
    }
    expect(publisher.rtmp.isClosed).toBe(false);
    expect(await fleet.status('show')).toMatchObject({ live: true, sessionId: before?.sessionId });
    expect(viewer.epochs).toHaveLength(1);
    expect(viewer.violations).toEqual([]);
  } finally {
    await fleet.close();
    await rm(folder, { recursive: true });
  }
}, 180_000);
