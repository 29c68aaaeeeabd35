/**
 * An S3 of our own for tests: Ceph's monitor, one object store in memory and its S3 gateway, on free ports of the
 * loopback interface. Up in two seconds, about 150 MB.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** How long one of Ceph's commands may take, ms. */
const COMMAND_MS = 60_000;

export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Paxos with a leader and nobody else need not wait for others: pools are made in milliseconds instead of seconds. */
function configuration(folder: string, fsid: string, monitor: string, gatewayPort: number): string {
  return `[global]
fsid = ${fsid}
mon host = ${monitor}
public network = 127.0.0.0/8
ms bind ipv6 = false
run dir = ${folder}
admin socket = ${folder}/$name.$pid.asok
log file = ${folder}/$name.log
crash dir = ${folder}
keyring = ${folder}/keyring
mon data = ${folder}/mon
mon allow pool size one = true
mon data avail crit = 0
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
paxos propose interval = 0.05
paxos min wait = 0.01
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
`;
}

/** @throws Error when Ceph is not installed, or does not come up */
export async function startCeph(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-ceph-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(children.map(ended));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const fsid = randomUUID();
    const monitor = `v2:127.0.0.1:${await freePort()}`;
    const gatewayPort = await freePort();
    const file = (name: string) => join(folder, name);
    const conf = ['-c', file('ceph.conf')];
    await writeFile(file('ceph.conf'), configuration(folder, fsid, monitor, gatewayPort));
    await Promise.all([mkdir(file('mon')), mkdir(file('osd'))]);
    await makeKeys(file('keyring'));
    await command('monmaptool', ['--create', '--addv', 'a', `[${monitor}]`, '--fsid', fsid, file('monmap')]);
    await command('ceph-mon', ['--mkfs', '-i', 'a', '--monmap', file('monmap'), '--keyring', file('keyring'), ...conf]);
    children.push(daemon('ceph-mon', ['-i', 'a', '-f', ...conf]));
    const osd = randomUUID();
    await command('ceph', [...conf, 'osd', 'new', osd]);
    await command('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', osd, ...conf]);
    children.push(daemon('ceph-osd', ['-i', '0', '-f', ...conf]));
    const accessKeyId = 'headwater-test';
    const secretAccessKey = randomUUID();
    const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey];
    await command('radosgw-admin', [...conf, 'user', 'create', '--uid', 'test', '--display-name', 'test', ...keys]);
    const gateway = daemon('radosgw', ['-n', 'client.admin', '-f', ...conf]);
    children.push(gateway);
    const endpoint = `http://127.0.0.1:${gatewayPort}`;
    await answering(endpoint, gateway);
    return { endpoint, accessKeyId, secretAccessKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeKeys(keyring: string): Promise<void> {
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'];
  await command('ceph-authtool', [keyring, '--create-keyring', '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  await command('ceph-authtool', [keyring, '--gen-key', '-n', 'client.admin', ...all]);
  const osd = ['--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *'];
  await command('ceph-authtool', [keyring, '--gen-key', '-n', 'osd.0', ...osd]);
}

async function command(program: string, args: readonly string[]): Promise<void> {
  await run(program, [...args], { timeout: COMMAND_MS });
}

function daemon(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: 'ignore' });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

async function answering(endpoint: string, gateway: ChildProcess): Promise<void> {
  for (;;) {
    if (gateway.exitCode !== null) throw new Error(`radosgw ended with code ${gateway.exitCode}`);
    try {
      await (await fetch(endpoint)).arrayBuffer();
      return;
    } catch {
      // Not listening yet.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
