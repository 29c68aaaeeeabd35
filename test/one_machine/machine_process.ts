/**
 * Starts the one-machine run as its own process, as `script/server` does, on free ports and with a folder of its own.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface MachineProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ports: {
    readonly rtmp: number;
    readonly rtmps?: number;
    readonly media: number;
    readonly edge: number;
    readonly metrics?: number;
  };
  /** Everything that it logged so far. */
  readonly log: () => string;
  /** Its exit code once it has ended, null after a signal. */
  readonly exited: Promise<number | null>;
  /** SIGTERM, then wait; the folder is removed. @returns the exit code */
  stop(): Promise<number | null>;
}

const MAIN = new URL('../../local/main.ts', import.meta.url).pathname;

/** @throws Error with the program's own line when it does not become ready */
export async function startMachine(
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<MachineProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-run-'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HW_RTMP_PORT: '0',
      HW_EDGE_PORT: '0',
      HW_MEDIA_PORT: '0',
      HW_METRICS_PORT: '0',
      HW_DATA_DIR: folder,
      HW_STREAM_KEYS: 'bench=bench-stream-key',
      ...env,
    },
  });
  let log = '';
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve)),
    exited.then(async (code) => {
      await rm(folder, { recursive: true, force: true });
      throw new Error(`the server ended with code ${code}: ${log}`);
    }),
  ]);
  const { ports, pid } = JSON.parse(line) as Pick<MachineProcess, 'ports' | 'pid'>;
  return {
    child,
    pid,
    ports,
    log: () => log,
    exited,
    stop: async () => {
      child.kill('SIGTERM');
      const code = await exited;
      await rm(folder, { recursive: true, force: true });
      return code;
    },
  };
}
