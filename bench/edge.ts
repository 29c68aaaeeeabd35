/**
 * CPU of the edge per request against nginx on the same machine, in paired runs: from memory against proxy_cache, and
 * passing a miss on against proxy_pass; and the 99th percentile of each under 64 connections.
 * `script/node bench/edge.ts [rounds] [share of the usual number of requests]`
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startEdgeBench } from '../test/edge/edge_bench.ts';
import { RENDITION, recordOf, startOrigin } from '../test/edge/live_fixture.ts';
import { findOnPath } from '../test/watch/find_on_path.ts';
import { load } from './http_load.ts';
import { cpuSeconds } from './process_cpu.ts';

const rounds = Number(process.argv[2] ?? 7);
const share = Number(process.argv[3] ?? 1);

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

// A segment of 1 MB in four parts, and playlists of about 1 KB.
const bench = await startEdgeBench('node', { partBytes: 250_000 });
const open = await startOrigin([bench.fixture]);
const folder = await mkdtemp(join(tmpdir(), 'headwater-bench-'));
const [cachePort, passPort] = [await freePort(), await freePort()];
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  .map((name) => `${name}_temp_path ${folder}/${name};`)
  .join(' ');
const proxy = 'proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";';
await writeFile(
  join(folder, 'nginx.conf'),
  `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr;
  events { worker_connections 1024; }
  http {
    access_log off; ${temporary} keepalive_requests 10000000; sendfile on; tcp_nopush on;
    proxy_cache_path ${folder}/cache keys_zone=z:10m;
    upstream origin { server 127.0.0.1:${open.port}; keepalive 64; }
    server { listen 127.0.0.1:${cachePort}; location / { ${proxy} proxy_cache z; proxy_cache_valid 200 60m; } }
    server { listen 127.0.0.1:${passPort}; location / { ${proxy} } }
  }`,
);
const nginx = spawn(await findOnPath(['nginx', '/usr/sbin/nginx']), ['-p', folder, '-c', `${folder}/nginx.conf`], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
const uncached = spawn(
  process.execPath,
  [new URL('uncached_edge.ts', import.meta.url).pathname, JSON.stringify(recordOf(bench.fixture, open.url))],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const uncachedPort = Number(
  await new Promise<string>((resolve) => {
    createInterface({ input: uncached.stdout }).once('line', resolve);
  }),
);

interface Side {
  readonly port: number;
  readonly pid: number;
}
const cached: Side = { port: cachePort, pid: nginx.pid ?? 0 };
const passed: Side = { port: passPort, pid: nginx.pid ?? 0 };
const memory: Side = { port: bench.edge.port, pid: bench.edge.child.pid ?? 0 };
const missing: Side = { port: uncachedPort, pid: uncached.pid ?? 0 };

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function run(side: Side, target: string, requests: number, connections: number): Promise<[number, number]> {
  const before = cpuSeconds(side.pid).own;
  const times = await load({ port: side.port, target, requests, connections });
  const cpuUs = ((cpuSeconds(side.pid).own - before) * 1e6) / requests;
  return [cpuUs, times[Math.floor(times.length * 0.99)] ?? Number.NaN];
}

/** One after the other in each round, so that both see the same machine. */
async function compare(
  what: string,
  target: string,
  pair: readonly [Side, Side],
  requests: number,
  connections: number,
): Promise<void> {
  const count = Math.max(connections, Math.round(requests * share));
  for (const side of pair) await run(side, target, Math.ceil(count / 5), connections);
  const results: [[number, number], [number, number]][] = [];
  for (let round = 0; round < rounds; round += 1) {
    results.push([await run(pair[0], target, count, connections), await run(pair[1], target, count, connections)]);
  }
  const of = (side: 0 | 1, figure: 0 | 1): number => median(results.map((result) => result[side][figure]));
  console.log(
    JSON.stringify({
      what,
      requests: count,
      connections,
      nginxUs: Math.round(of(0, 0)),
      edgeUs: Math.round(of(1, 0)),
      ratio: Number(median(results.map(([nginxRun, edgeRun]) => edgeRun[0] / nginxRun[0])).toFixed(2)),
      nginxP99Ms: Number(of(0, 1).toFixed(1)),
      edgeP99Ms: Number(of(1, 1).toFixed(1)),
    }),
  );
}

const playlist = `/demo/${RENDITION}/index.m3u8?_HLS_msn=102`;
const segment = `/demo/${bench.fixture.epoch}/${RENDITION}/101.m4s`;
await compare('1 KB from memory', playlist, [cached, memory], 40_000, 16);
await compare('1 MB from memory', segment, [cached, memory], 2000, 16);
await compare('1 KB from memory, 64 connections', playlist, [cached, memory], 40_000, 64);
await compare('1 MB from memory, 64 connections', segment, [cached, memory], 2000, 64);
// One at a time: at the same time they would be one request upstream.
await compare('1 MB miss', segment, [passed, missing], 600, 1);

uncached.kill();
nginx.kill();
await open.server.close(0);
await bench.stop();
await rm(folder, { recursive: true, force: true });
