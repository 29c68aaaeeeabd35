/**
 * What the one-machine run says when it cannot start: one line that names what to change, exit code 1, and nothing left
 * behind. And that it ends when it is told to.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { childrenOf } from './child_processes.ts';
import { eventually } from './eventually.ts';
import { publishWithFfmpeg } from './ffmpeg_publisher.ts';
import { startMachine } from './machine_process.ts';
import { PacedPublisher } from './paced_publisher.ts';
import { makeTestSource } from './test_source.ts';

const MAIN = new URL('../../local/main.ts', import.meta.url).pathname;
/** A program that does not end by itself has not failed. */
const PATIENCE_MS = 40_000;

let folder: string;
let taken: Server;
let takenPort: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-start-'));
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  takenPort = String((taken.address() as AddressInfo).port);
});

afterAll(async () => {
  taken.close();
  await rm(folder, { recursive: true });
});

interface Failure {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program until it ends. */
async function runToItsEnd(env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Failure> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HW_RTMP_PORT: '0',
      HW_EDGE_PORT: '0',
      HW_MEDIA_PORT: '0',
      HW_METRICS_PORT: '0',
      HW_DATA_DIR: join(folder, 'data'),
      HW_STREAM_KEYS: 'one=a-key-of-a-stream',
      ...env,
    },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  clearTimeout(timer);
  return { code, stdout, stderr };
}

async function script(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
  return path;
}

describe.concurrent('does not start', () => {
  test.each([
    ['a taken RTMP port', () => ({ HW_RTMP_PORT: takenPort }), /^headwater: port [0-9]+ is taken .*HW_RTMP_PORT/],
    ['a taken edge port', () => ({ HW_EDGE_PORT: takenPort }), /^headwater: port [0-9]+ is taken .*HW_EDGE_PORT/],
    ['a taken media port', () => ({ HW_MEDIA_PORT: takenPort }), /^headwater: port [0-9]+ is taken .*HW_MEDIA_PORT/],
    [
      'no FFmpeg',
      () => ({ HW_FFMPEG: '/nowhere/ffmpeg' }),
      /^headwater: FFmpeg at \/nowhere\/ffmpeg is not there: install/,
    ],
    ['an unknown setting', () => ({ HW_RMTP_PORT: '1935' }), /HW_RMTP_PORT/],
    ['a bad number', () => ({ HW_SEGMENT_SECONDS: 'two' }), /^headwater: HW_SEGMENT_SECONDS: got/],
    [
      'a bad choice',
      () => ({ HW_TOP_RENDITION: 'remux' }),
      /^headwater: HW_TOP_RENDITION: got.*copy, encode|copy or encode/,
    ],
    ['a bad ladder', () => ({ HW_LADDER: '360p:lots' }), /^headwater: HW_LADDER: /],
    [
      'a certificate that is not there',
      () => ({ HW_TLS_CERT: '/nowhere/cert.pem', HW_TLS_KEY: '/nowhere/key.pem', HW_RTMPS_PORT: '0' }),
      /^headwater: HW_TLS_(CERT|KEY): \/nowhere\/(cert|key)\.pem cannot be read \(ENOENT\)/,
    ],
    ['a certificate without its key', () => ({ HW_TLS_CERT: '/nowhere/cert.pem' }), /^headwater: HW_TLS_KEY: not set/],
  ])('with %s', async (_, env, line) => {
    const { code, stdout, stderr } = await runToItsEnd(env());
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test('with a certificate that is none', async () => {
    const certificate = join(folder, 'none.pem');
    await writeFile(certificate, 'not a certificate\n');
    const env = { HW_TLS_CERT: certificate, HW_TLS_KEY: certificate, HW_RTMPS_PORT: '0' };
    const { code, stdout, stderr } = await runToItsEnd(env);
    expect(stderr).toMatch(/^headwater: HW_TLS_CERT/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test('with a taken RTMPS port', async () => {
    const { cert, key } = await makeCertificate('for-a-taken-port');
    const env = { HW_TLS_CERT: cert, HW_TLS_KEY: key, HW_RTMPS_PORT: takenPort };
    const { code, stdout, stderr } = await runToItsEnd(env);
    expect(stderr).toMatch(/^headwater: port [0-9]+ is taken .*HW_RTMPS_PORT/);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  test('with an FFmpeg without libx264', async () => {
    const ffmpeg = await script('without-x264', ['ffmpeg "$@" | grep -v libx264']);
    const { code, stderr } = await runToItsEnd({ HW_FFMPEG: ffmpeg });
    expect(stderr).toMatch(/^headwater: FFmpeg .* has no encoder libx264: install/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
  });

  test('with a program that is not FFmpeg', async () => {
    const ffmpeg = await script('not-ffmpeg', ['echo hello']);
    const { code, stderr } = await runToItsEnd({ HW_FFMPEG: ffmpeg });
    expect(stderr).toMatch(/^headwater: .*not-ffmpeg does not answer like FFmpeg: install/);
    expect(code).toBe(1);
  });

  test('with an argument that it does not know', async () => {
    const { code, stderr } = await runToItsEnd({}, ['--dmeo']);
    expect(stderr).toMatch(/^headwater: got the argument --dmeo, wanted --demo/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
  });

  test('with a data folder that cannot be made', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const { code, stderr } = await runToItsEnd({ HW_STREAM_KEYS: '', HW_DATA_DIR: join(file, 'data') });
    expect(stderr).toMatch(/^headwater: .*HW_DATA_DIR/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
  });
});

describe.concurrent('starts', () => {
  test('open to the network with that setting alone', async () => {
    const machine = await startMachine({ HW_BIND: '0.0.0.0' });
    const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/livez`);
    expect(reply.status).toBe(200);
    // Its media server is open to the network too, and asks for a token that nobody outside has.
    const media = await fetch(`http://127.0.0.1:${machine.ports.media}/bench/live.m3u8`);
    expect([401, 403]).toContain(media.status);
    expect(await machine.stop()).toBe(0);
  });

  test('with a key of its own, kept for its owner alone', async () => {
    const data = join(folder, 'own-key');
    const machine = await startMachine({ HW_STREAM_KEYS: '', HW_DATA_DIR: data });
    const files = await readdir(data);
    // Beside it the recorder tries out its folder, and `npm run hw` finds its way in.
    expect(files.toSorted()).toEqual(expect.arrayContaining(['demo-stream-key', 'run']));
    expect(files.filter((name) => !['recordings', 'run'].includes(name))).toEqual(['demo-stream-key']);
    const path = join(data, 'demo-stream-key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const key = (await readFile(path, 'utf8')).trim();
    expect(() => assertNoSecret(machine.log(), { 'the key': key })).not.toThrow();
    const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key, source: await makeTestSource() });
    await publisher.sayGoodbye();
    expect(await machine.stop()).toBe(0);
  });

  test('RTMPS with a self-made certificate takes a publisher', async () => {
    const { cert, key } = await makeCertificate('for-rtmps');
    const machine = await startMachine({ HW_TLS_CERT: cert, HW_TLS_KEY: key, HW_RTMPS_PORT: '0' });
    const { rtmps } = machine.ports;
    const publisher = publishWithFfmpeg(
      `rtmps://127.0.0.1:${rtmps}/stream/bench-stream-key`,
      { size: '320x180', rate: 15, gopSeconds: 2 },
      ['-tls_verify', '0'],
    );
    const playlist = await eventually('the stream is playable', 30_000, async () => {
      const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/bench/live.m3u8`);
      const body = await reply.text();
      return reply.status === 200 && body;
    });
    expect(playlist).toContain('180p/index.m3u8');
    await publisher.stop();
    expect(await machine.stop()).toBe(0);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('and ends on %s within 3 s, its FFmpeg with it', async (signal) => {
    const machine = await startMachine();
    const source = await makeTestSource();
    const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: 'bench-stream-key', source });
    const [encoder = 0] = await eventually('an FFmpeg runs', 10_000, () => {
      const children = childrenOf(machine.pid);
      return children.length > 0 && children;
    });
    const startedAtMs = performance.now();
    machine.child.kill(signal);
    const code = await machine.exited;
    expect(performance.now() - startedAtMs).toBeLessThan(3000);
    expect(code).toBe(0);
    expect(() => process.kill(encoder, 0)).toThrow('ESRCH');
    await publisher.rtmp.closed;
    await machine.stop();
  });
});

async function makeCertificate(name: string): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key] = [join(folder, `${name}.cert.pem`), join(folder, `${name}.key.pem`)];
  const what = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ];
  await promisify(execFile)('openssl', ['req', '-x509', ...what, '-keyout', key, '-out', cert]);
  return { cert, key };
}
