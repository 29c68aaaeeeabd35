/**
 * OBS Studio itself, under a virtual screen, publishes with its defaults.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import { makeObsHome, OBS_ARGUMENTS } from './obs_profile.ts';

test('OBS with its defaults is live, cut every two seconds although its key frames are eight apart', async (context) => {
  needsFull(context);
  const home = await mkdtemp(join(tmpdir(), 'headwater-obs-'));
  const machine = await startMachine({ HW_STREAM_KEYS: 'show=obs-test-stream-key' });
  await makeObsHome(home, {
    server: `rtmp://127.0.0.1:${machine.ports.rtmp}/stream`,
    streamKey: 'obs-test-stream-key',
  });
  const obs = spawn('xvfb-run', ['-a', 'obs', ...OBS_ARGUMENTS], {
    stdio: 'ignore',
    detached: true,
    env: { PATH: process.env['PATH'], HOME: home, LIBGL_ALWAYS_SOFTWARE: '1' },
  });
  try {
    const origin = `http://127.0.0.1:${machine.ports.edge}`;
    await eventually('a playlist', 60_000, async () =>
      (await fetch(`${origin}/show/live.m3u8`)).ok ? true : undefined,
    );
    const viewer = CheckingViewer.follow({ origin, streamId: 'show', rendition: '360p' });
    await viewer.waitForSegments(6, 60_000);
    expect(viewer.wholeSegments.slice(1, 5).map(({ duration }) => duration)).toEqual([2, 2, 2, 2]);
    expect(await viewer.verdict()).toEqual([]);
    expect(machine.log()).toContain('key frames 8.3 s apart');
    expect(machine.log()).not.toContain('obs-test-stream-key');
  } finally {
    // xvfb-run has children of its own: the whole group goes.
    if (obs.pid !== undefined) process.kill(-obs.pid, 'SIGTERM');
    await machine.stop();
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
});
