/**
 * A real nginx-rtmp as a relay target: records what it gets, in FLV files that hold the packets as they came. Optionally
 * behind TLS, terminated in this process as a load balancer would.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { readFlvPrefix } from './read_flv_prefix.ts';

const NGINX = '/usr/sbin/nginx';
const MODULE = '/usr/lib/nginx/modules/ngx_rtmp_module.so';

/** Whether Debian's nginx with libnginx-mod-rtmp is installed. */
export function hasNginxRtmp(): boolean {
  return existsSync(NGINX) && existsSync(MODULE);
}

export interface NginxRtmp {
  readonly port: number;
  /** Media that was recorded of a name so far, per connection in the order of their ends. */
  recorded(name: string): readonly (readonly MediaTag[])[];
  stop(): Promise<void>;
}

export async function startNginxRtmp(port?: number): Promise<NginxRtmp> {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-nginx-'));
  const records = join(folder, 'rec');
  mkdirSync(records);
  const chosen = port ?? (await freePort());
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, chosen));
  const child = spawn(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text: Buffer) => (log += text.toString()));
  await untilListening(child, chosen, () => log);
  return {
    port: chosen,
    recorded: (name) =>
      readdirSync(records)
        .filter((file) => file.startsWith(`${name}-`))
        .toSorted()
        .map((file) => readFlvPrefix(readFileSync(join(records, file)))),
    stop: async () => {
      const gone = once(child, 'close');
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, port: number): string {
  return `
load_module ${MODULE};
worker_processes 1;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log notice;
events { worker_connections 256; }
rtmp {
  server {
    listen 127.0.0.1:${port};
    # What it understands of a message it does not change, and what it writes is what came.
    application live {
      live on;
      record all;
      record_path ${folder}/rec;
      record_unique on;
      wait_key off;
      meta copy;
    }
  }
}
`;
}

async function untilListening(child: ChildProcess, port: number, log: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${log()}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface TlsFront {
  readonly port: number;
  /** PEM of the certificate, for `localhost`, signed by itself. */
  readonly certificate: string;
  readonly certificateFile: string;
  close(): void;
}

/** TLS in front of a plain port. */
export async function startTlsFront(targetPort: number): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-tls-'));
  const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', keyFile];
  const subject = ['-nodes', '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', certificateFile], { stdio: 'ignore' });
  const certificate = readFileSync(certificateFile, 'utf8');
  const server: Server = createTlsServer({ key: readFileSync(keyFile), cert: certificate }, (secure) => {
    const plain = connect(targetPort, '127.0.0.1');
    secure.pipe(plain).pipe(secure);
    // Either end's end is the other's.
    plain.on('error', () => secure.destroy());
    secure.on('error', () => plain.destroy());
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    certificateFile,
    close: () => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
