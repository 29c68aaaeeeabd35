/**
 * A project folder with nothing but our scripts, and a PATH with nothing but what a test puts there: how `script/setup`
 * meets machines that this one is not.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const PLAIN_TOOLS = [
  'cat',
  'cksum',
  'dirname',
  'env',
  'find',
  'grep',
  'head',
  'mkdir',
  'mktemp',
  'rm',
  'sed',
  'sh',
  'tail',
  'touch',
  'tr',
];

export interface ScriptResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Sandbox {
  readonly root = mkdtempSync(join(tmpdir(), 'headwater-setup-'));
  readonly project = join(this.root, 'project');
  readonly #bin = join(this.root, 'bin');
  readonly #calls = join(this.root, 'calls');

  /** Node and npm are there, FFmpeg is not; the user is not root and has no sudo. */
  constructor() {
    mkdirSync(this.#bin);
    mkdirSync(this.project);
    cpSync(join(ROOT, 'script'), join(this.project, 'script'), { recursive: true });
    for (const name of ['package.json', 'package-lock.json', '.npmrc'])
      cpSync(join(ROOT, name), join(this.project, name));
    for (const tool of PLAIN_TOOLS) this.link(tool);
    symlinkSync(process.execPath, join(this.#bin, 'node'));
    this.stub('npm', 'mkdir -p node_modules; touch node_modules/.package-lock.json');
    this.stub('id', 'echo 1000');
    this.stub('uname', 'echo Linux');
  }

  /** Puts a program of this machine on the PATH. */
  link(tool: string): void {
    const folder = (process.env['PATH'] ?? '').split(delimiter).find((candidate) => existsSync(join(candidate, tool)));
    if (folder === undefined) throw new Error(`${tool} is not on PATH`);
    symlinkSync(join(folder, tool), join(this.#bin, tool));
  }

  /** Puts a program on the PATH that notes its call and does what `body`, shell text, says. */
  stub(tool: string, body: string): void {
    const path = join(this.#bin, tool);
    writeFileSync(path, `#!/bin/sh\necho "${tool} $*" >>'${this.#calls}'\n${body}\n`);
    chmodSync(path, 0o755);
  }

  /** Stands for FFmpeg of that version, with the encoders of that list. */
  ffmpegText(version: string, encoder = 'libx264'): string {
    return `echo 'ffmpeg version ${version} Copyright'; echo ' V....D ${encoder} '`;
  }

  /** Command lines of the stubs that were called, `id` and `uname` apart. */
  get calls(): readonly string[] {
    if (!existsSync(this.#calls)) return [];
    return readFileSync(this.#calls, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !/^(?:id|uname|ffmpeg) /.test(line));
  }

  forgetCalls(): void {
    rmSync(this.#calls, { force: true });
  }

  has(path: string): boolean {
    return existsSync(join(this.project, path));
  }

  write(path: string, text: string): void {
    const full = join(this.project, path);
    mkdirSync(join(full, '..'), { recursive: true });
    writeFileSync(full, text);
  }

  start(script: string, args: readonly string[] = []): ReturnType<typeof spawn> {
    return spawn(join(this.project, 'script', script), args, {
      cwd: this.root,
      env: { PATH: this.#bin, HOME: this.root, TMPDIR: this.root },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async run(script: string, ...args: readonly string[]): Promise<ScriptResult> {
    const child = this.start(script, args);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once('error', reject);
    child.once('close', resolve);
    return { code: await promise, stdout, stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
