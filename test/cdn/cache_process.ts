/**
 * nginx and Varnish in front of an edge, from the configurations in examples/: nothing but addresses, ports and folders
 * is replaced in them.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOnPath } from '../watch/find_on_path.ts';

export type CacheProgram = 'nginx' | 'varnish';

export interface CacheProcess {
  readonly url: string;
  readonly port: number;
  /** Of the program that serves; its children's CPU and memory count too. */
  readonly pid: number;
  stop(): Promise<void>;
}

const EXAMPLES = new URL('../../examples/', import.meta.url).pathname;

/** @throws when the configuration has no such text: the example and the test have parted */
function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(changes)) {
    if (!result.includes(from)) throw new Error(`the example does not say ${from}`);
    result = result.replaceAll(from, to);
  }
  return result;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}

async function commandOf(
  program: CacheProgram,
  folder: string,
  port: number,
  edgePort: number,
): Promise<readonly [string, readonly string[]]> {
  if (program === 'nginx') {
    const conf = replaced(await readFile(join(EXAMPLES, 'nginx.conf'), 'utf8'), {
      'listen 8088;': `listen 127.0.0.1:${port};`,
      'server 127.0.0.1:8080;': `server 127.0.0.1:${edgePort};`,
      '/var/cache/nginx': folder,
      '/run/nginx.pid': join(folder, 'nginx.pid'),
      '/var/log/nginx/error.log': 'stderr',
      'worker_processes auto;': 'worker_processes 1;',
    });
    await writeFile(join(folder, 'nginx.conf'), conf);
    const user = process.getuid?.() === 0 ? ' user root;' : '';
    const nginx = await findOnPath(['nginx', '/usr/sbin/nginx']);
    return [nginx, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', `daemon off;${user}`]];
  }
  const vcl = replaced(await readFile(join(EXAMPLES, 'varnish.vcl'), 'utf8'), {
    '.port = "8080";': `.port = "${edgePort}";`,
  });
  await writeFile(join(folder, 'edge.vcl'), vcl);
  const varnishd = await findOnPath(['varnishd', '/usr/sbin/varnishd']);
  const listen = ['-a', `127.0.0.1:${port}`, '-f', join(folder, 'edge.vcl')];
  return [varnishd, ['-F', '-j', 'none', '-n', join(folder, 'work'), '-s', 'malloc,256m', ...listen]];
}

/** Resolves once it accepts connections. */
export async function startCache(program: CacheProgram, edgePort: number): Promise<CacheProcess> {
  const folder = await mkdtemp(join(tmpdir(), `headwater-${program}-`));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'temp'));
  const port = await freePort();
  const [command, args] = await commandOf(program, folder, port, edgePort);
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk.toString()}`.slice(-4000);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await accepts(port, child, () => complaints);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, port, pid: child.pid ?? 0, stop };
}

async function accepts(port: number, child: ChildProcess, complaints: () => string): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isOpen) return;
    if (child.exitCode !== null || performance.now() > endMs) throw new Error(`it does not listen: ${complaints()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
