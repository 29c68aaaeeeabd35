/**
 * Players that are programs: how each is told to play a playlist for some seconds without a screen, and what shows that
 * it did.
 */
import { spawn } from 'node:child_process';

export interface ProgramRun {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end. VLC refuses to run as root: there it runs as nobody. */
export async function runProgram(command: string, args: readonly string[], timeoutMs: number): Promise<ProgramRun> {
  const asNobody = command === 'cvlc' && process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...asNobody,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString();
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Plays for eight seconds and copies what it plays into a file. */
export function vlcArguments(url: string, file: string): readonly string[] {
  return [
    '-I',
    'dummy',
    '--no-media-library',
    '--run-time=8',
    url,
    '--sout',
    `#std{access=file,mux=ts,dst=${file}}`,
    'vlc://quit',
  ];
}

/** Decodes five seconds of picture and sound at their pace. */
export function mpvArguments(url: string): readonly string[] {
  return ['--no-config', '--vo=null', '--ao=null', '--length=5', '--msg-level=all=info', url];
}
