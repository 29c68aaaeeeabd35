/**
 * Redis servers of our own for tests: alone, with TLS, or as a cluster of two, on free ports of the loopback interface,
 * with nothing kept on disk. `HW_TEST_REDIS_SERVER` names another program, such as a `valkey-server`.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { CLUSTER_SLOTS } from '../../functions/registry/cluster_slot.ts';

const run = promisify(execFile);

export interface RedisServer {
  /** For `REDIS_URL`. */
  readonly url: string;
  /** The certificate's authority, with TLS. */
  readonly ca: Buffer | undefined;
  /** A connection to each node, for what tests do to it. */
  readonly nodes: readonly Redis[];
  readonly stop: () => Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A port whose cluster bus port (10,000 above) exists too. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
  });
}

async function certificate(folder: string): Promise<Buffer> {
  const options = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run('openssl', [...options, ...names, '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]);
  return readFile(join(folder, 'cert.pem'));
}

function tlsArgs(folder: string, port: number): readonly string[] {
  const file = (name: string) => join(folder, name);
  const trust = ['--tls-ca-cert-file', file('cert.pem'), '--tls-auth-clients', 'no'];
  return [
    '--port',
    '0',
    '--tls-port',
    `${port}`,
    '--tls-cert-file',
    file('cert.pem'),
    '--tls-key-file',
    file('key.pem'),
    ...trust,
  ];
}

async function stopAll(children: readonly ChildProcess[], nodes: readonly Redis[], folder: string): Promise<void> {
  for (const node of nodes) node.disconnect();
  await Promise.all(
    children.map(
      (child) =>
        new Promise((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) resolve(undefined);
          child.once('exit', resolve);
          child.kill('SIGKILL');
        }),
    ),
  );
  await rm(folder, { recursive: true, force: true });
}

/** Joins the servers, half of the slots each. */
async function join2(nodes: readonly Redis[], ports: readonly number[]): Promise<void> {
  const share = CLUSTER_SLOTS / nodes.length;
  for (const [index, node] of nodes.entries()) {
    await node.call('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String((index + 1) * share - 1));
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
  }
  await nodes[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(ports[1]));
  for (const node of nodes) {
    for (;;) {
      const info = String(await node.call('CLUSTER', 'INFO'));
      if (info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`)) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** @param wantedPort of a server that comes back; a free one unless given */
export async function startRedis(kind: 'alone' | 'tls' | 'cluster', wantedPort?: number): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-redis-'));
  const ca = kind === 'tls' ? await certificate(folder) : undefined;
  const count = kind === 'cluster' ? 2 : 1;
  const ports: number[] = [];
  const children: ChildProcess[] = [];
  const nodes: Redis[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const port = wantedPort ?? (await clusterPort());
      ports.push(port);
      const args = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
      if (kind === 'tls') args.push(...tlsArgs(folder, port));
      else args.push('--port', `${port}`);
      if (kind === 'cluster') args.push('--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`);
      const child = spawn(process.env.HW_TEST_REDIS_SERVER ?? 'redis-server', args, {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      await started(child);
      nodes.push(new Redis({ host: '127.0.0.1', port, ...(ca !== undefined && { tls: { ca } }) }));
    }
    if (kind === 'cluster') await join2(nodes, ports);
  } catch (error) {
    await stopAll(children, nodes, folder);
    throw error;
  }
  return {
    url: `${kind === 'tls' ? 'rediss' : 'redis'}://127.0.0.1:${ports[0]}`,
    ca,
    nodes,
    stop: () => stopAll(children, nodes, folder),
  };
}
