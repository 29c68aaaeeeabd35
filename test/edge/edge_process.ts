/**
 * Starts the edge as a process of its own on one of its three runtimes, on a free port, and stops it again.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Runtime = 'node' | 'deno' | 'worker';

export interface EdgeProcess {
  readonly url: string;
  readonly port: number;
  /** Undefined on runtimes without a listener for metrics. */
  readonly metricsPort: number | undefined;
  readonly child: ChildProcess;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND: Readonly<Record<Runtime, readonly [string, ...string[]]>> = {
  node: ['script/node', 'origin-edge/entry/node.ts'],
  deno: ['script/edge-deno'],
  worker: ['script/edge-worker'],
};

/** Resolves once the process has printed its ready line. */
export async function startEdgeProcess(runtime: Runtime, env: Readonly<Record<string, string>>): Promise<EdgeProcess> {
  const [command, ...args] = COMMAND[runtime];
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', PORT: '0', HW_METRICS_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk.toString()}`.slice(-4000);
  });
  const ports = await new Promise<{ readonly edge: number; readonly metrics?: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"ready":true')) resolve((JSON.parse(line) as { ports: { edge: number } }).ports);
    });
    void exited.then((code) => reject(new Error(`the ${runtime} edge ended with ${code}: ${complaints}`)));
  });
  return {
    url: `http://127.0.0.1:${ports.edge}`,
    port: ports.edge,
    metricsPort: ports.metrics,
    child,
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
