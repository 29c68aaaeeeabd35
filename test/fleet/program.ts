/**
 * A program of this project as a process of its own: started as a person starts it, ready when it says so, and ended by
 * the signal that a test chooses.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Program {
  readonly pid: number;
  readonly ports: Readonly<Record<string, number>>;
  readonly child: ChildProcess;
  /** Everything that it logged so far. */
  readonly log: () => string;
  /** The exit code once it has ended, null after a signal. */
  readonly exited: Promise<number | null>;
  /** Sends the signal (SIGTERM unless said), and waits. @returns the exit code */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @param file path of the program from the project's root
 * @throws Error with the program's own line when it does not become ready
 */
export async function startProgram(file: string, env: Readonly<Record<string, string>>): Promise<Program> {
  const child = spawn(process.execPath, [file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  let log = '';
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve)),
    exited.then((code) => {
      throw new Error(`${file} ended with code ${code}: ${log}`);
    }),
  ]);
  const { ports, pid } = JSON.parse(line) as Pick<Program, 'ports' | 'pid'>;
  return {
    pid,
    ports,
    child,
    log: () => log,
    exited,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}
