/**
 * FAULTS row 14 with a real network: the publisher stands in a network namespace whose cable is pulled. Its packets
 * vanish in the kernel, nobody is told. Needs root and iproute2.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../one_machine/eventually.ts';
import { keyOf, Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { watchWithPlayer } from './fault_player.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';

const ip = (...args: string[]) => promisify(execFile)('ip', args);
const name = `hw${process.pid}`;
const [near, far] = [`${name}a`, `${name}b`];
/** TEST-NET-3 (RFC 5737): an address of nobody. */
const [here, there] = ['203.0.113.1', '203.0.113.2'];
let child: ChildProcess | undefined;

afterEach(async () => {
  child?.kill('SIGKILL');
  await ip('link', 'del', near).catch(() => undefined);
  await ip('netns', 'del', name).catch(() => undefined);
});

test('row 14: half-open, the cable is pulled', async (context) => {
  needsFull(context);
  await ip('netns', 'add', name);
  await ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', name);
  await ip('addr', 'add', `${here}/30`, 'dev', near);
  await ip('link', 'set', near, 'up');
  await ip('-n', name, 'addr', 'add', `${there}/30`, 'dev', far);
  await ip('-n', name, 'link', 'set', far, 'up');
  const stage = await Stage.open(['wired'], { HW_BIND: '0.0.0.0', HW_MEDIA_TOKEN: 'a-token-for-this-test' });
  try {
    child = spawn(
      'ip',
      ['netns', 'exec', name, process.execPath, new URL('publisher_process.ts', import.meta.url).pathname],
      {
        env: { ...process.env, HOST: here, PORT: String(stage.machine.ports.rtmp), KEY: keyOf('wired') },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (child.stdout === null) throw new Error('wanted a pipe');
    await once(child.stdout, 'data');
    const viewer = stage.follow('wired');
    const watching = await watchWithPlayer(`${stage.origin}/wired/live.m3u8`);
    await ip('-n', name, 'link', 'set', far, 'down');
    const from = performance.now();
    const source = await makeTestSource();
    await eventually('a new connection is let in', 20_000, async () => {
      try {
        return await stage.publish('wired', { source });
      } catch (error) {
        if (error instanceof RtmpRefused) return undefined;
        throw error;
      }
    });
    const accepted = performance.now() - from;
    expect(accepted).toBeLessThanOrEqual(15_000);
    await viewer.waitFor('the next epoch', 20_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 2);
    await watching.playsOn(4, 30_000);
    expect(await watching.fatalErrors()).toEqual([]);
    const stalled = await watching.stalledMs();
    await watching.close();
    const note = "the publisher's network was taken down in its namespace";
    await reportFault({ row: '14', measured: `accepted after ${seconds(accepted)}, stall ${seconds(stalled)}`, note });
  } finally {
    await stage.close();
  }
});
