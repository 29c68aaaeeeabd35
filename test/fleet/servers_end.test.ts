/**
 * `script/server --servers 2` leaves no server behind, however it ends.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { childrenOf, commandLineOf } from '../one_machine/child_processes.ts';
import { eventually } from '../one_machine/eventually.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-servers-end-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function startTwo(rtmpPort: number): ChildProcess {
  return spawn('script/server', ['--servers', '2'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      HW_RTMP_PORT: String(rtmpPort),
      HW_MEDIA_PORT: '0',
      HW_EDGE_PORT: '0',
      HW_DATA_DIR: folder,
      HW_STREAM_KEYS: 'one=a-key-of-a-stream',
    },
  });
}

const isServer = (pid: number) => commandLineOf(pid).includes('transcoder/main.ts');

test('its servers end when it is killed', async () => {
  const supervisor = startTwo(0);
  if (supervisor.stdout === null || supervisor.pid === undefined) throw new Error('it was not started');
  await once(createInterface({ input: supervisor.stdout }), 'line');
  const servers = childrenOf(supervisor.pid).filter(isServer);
  expect(servers).toHaveLength(2);
  process.kill(supervisor.pid, 'SIGKILL');
  await eventually('both have ended', 10_000, () => !servers.some(isServer) || undefined);
});

test('when one cannot start, the other one does not stay', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const seen = new Set<number>();
  try {
    const supervisor = startTwo((taken.address() as AddressInfo).port);
    const exited = once(supervisor, 'close') as Promise<[number | null]>;
    const { pid = 0 } = supervisor;
    await eventually('both begin', 30_000, () => {
      for (const child of childrenOf(pid).filter(isServer)) seen.add(child);
      return seen.size === 2 || undefined;
    });
    expect((await exited)[0]).toBe(1);
    // It waits for the other one before it ends.
    expect([...seen].filter(isServer)).toEqual([]);
  } finally {
    taken.close();
  }
});
