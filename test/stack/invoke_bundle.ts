/**
 * Runs a packaged function as Lambda does: a Node process of its own, the bundle's handler, an event and a context. The
 * AWS clients, which Lambda's runtime brings, come from the project's packages.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT } from './package_stack.ts';
import { readZip } from './read_zip.ts';

export interface Bundle {
  /** `functions/handlers/registry.js` */
  readonly file: string;
  readonly path: string;
  readonly bytes: number;
}

/** Unpacks a function's archive beside itself. @throws Error when it holds anything but one file */
export async function unpackBundle(archive: string): Promise<Bundle> {
  const files = [...readZip(await readFile(archive))];
  const [first, ...others] = files;
  if (first === undefined || others.length > 0) {
    throw new Error(`${archive} holds ${files.map(([name]) => name).join(', ') || 'nothing'}, wanted one file`);
  }
  const [file, body] = first;
  const path = join(archive.replace(/\.zip$/, ''), file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, body);
  return { file, path, bytes: body.length };
}

export interface Invocation {
  readonly reply?: unknown;
  /** Name and message of what the handler threw. */
  readonly thrown?: string;
  /** Time until the handler was there, ms. */
  readonly initMs: number;
  readonly log: string;
}

const RUNNER = `
const startedAt = performance.now();
const { handler } = require(process.argv[1]);
const initMs = performance.now() - startedAt;
const say = (result) => { process.stderr.write('\\n' + JSON.stringify({ initMs, ...result }) + '\\n', () => process.exit(0)); };
if (process.argv[2] === undefined) say({});
else handler(JSON.parse(process.argv[2]), { awsRequestId: 'request-1' }).then(
  (reply) => say({ reply }),
  (error) => say({ thrown: error.name + ': ' + error.message }),
);
`;
const TIMEOUT_MS = 30_000;

/** @param event undefined: the bundle is loaded and nothing more */
export function invokeBundle(
  path: string,
  environment: Readonly<Record<string, string>>,
  event?: object,
): Promise<Invocation> {
  const args = ['-e', RUNNER, path, ...(event === undefined ? [] : [JSON.stringify(event)])];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'] ?? '', NODE_PATH: join(ROOT, 'node_modules'), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let log = '';
    let result = '';
    child.stdout.on('data', (data: Buffer) => (log += data.toString()));
    child.stderr.on('data', (data: Buffer) => (result += data.toString()));
    child.once('error', reject);
    child.once('close', (status) => {
      const line = result.trim().split('\n').at(-1) ?? '';
      if (status === 0 && line.startsWith('{')) resolve({ ...(JSON.parse(line) as Omit<Invocation, 'log'>), log });
      else reject(new Error(`${path} ended with ${status}: ${result}`));
    });
  });
}
