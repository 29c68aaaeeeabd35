/**
 * `script/server --demo --servers 2`: the command that it prints kills the server, and the picture moves on.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { eventually } from '../one_machine/eventually.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** FAULTS row 11: the longest that a viewer may stand still, ms. */
const KILLED_MS = 15_000;

interface Line {
  readonly ready?: boolean;
  readonly ports?: { readonly edge: number };
  readonly serving?: string;
  readonly pid: number;
  readonly kill?: string;
}

test('two servers, one of them killed by the command that is printed', async (context) => {
  needsFull(context);
  const folder = await mkdtemp(join(tmpdir(), 'headwater-servers-'));
  const server = spawn('script/server', ['--demo', '--servers', '2'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      HW_RTMP_PORT: '0',
      HW_MEDIA_PORT: '0',
      HW_EDGE_PORT: '0',
      HW_METRICS_PORT: '0',
      HW_DATA_DIR: folder,
    },
  });
  const exited = new Promise<number | null>((resolve) => server.once('close', resolve));
  const lines: Line[] = [];
  createInterface({ input: server.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Line));
  try {
    const serving = await eventually('a server has the demo', 40_000, () => lines.find((line) => line.kill));
    const edge = lines.find((line) => line.ready)?.ports?.edge ?? 0;
    const origin = `http://127.0.0.1:${edge}`;
    const viewer = CheckingViewer.follow({ origin, streamId: 'demo', rendition: '720p', mayJump: true });
    await viewer.waitForSegments(3, 40_000);
    expect(serving.kill).toBe(`kill -9 ${serving.pid}`);
    process.kill(serving.pid, 'SIGKILL');
    await viewer.waitFor('the other server', 40_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 2);
    expect(viewer.longestQuietMs).toBeLessThan(KILLED_MS);
    await eventually('the other one is named', 5000, () => lines.filter((line) => line.kill).length === 2);
    expect(viewer.violations.filter((line) => line.includes('playlist'))).toEqual([]);
    await viewer.stop();
  } finally {
    server.kill('SIGTERM');
    expect(await exited).toBe(0);
    await rm(folder, { recursive: true, force: true });
  }
});
