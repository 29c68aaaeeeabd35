/**
 * The edge on Deno. Composition root of `npm run edge:deno`; the permissions that it needs stand in script/edge-deno.
 */
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { createApp } from '../src/app.ts';
import { resolveOverHttp } from '../src/resolve_over_http.ts';
import { parseUpstreamAllow } from '../src/upstream_allow.ts';
import { serveDeno } from './deno_server.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { loadWatchAssets } from './watch_assets.ts';
import { playbackFromSettings } from './playback_from_settings.ts';
import { createWebUpstream } from './web_fetch_upstream.ts';

const settings = readEdgeSettings(process.env);
const { app } = createApp({
  resolve: resolveOverHttp({ url: settings.resolveUrl, token: settings.resolveToken }),
  fetchUpstream: createWebUpstream(settings.mediaToken),
  monotonicMs: () => performance.now(),
  upstreamBase: settings.upstreamBase,
  mayFollow: parseUpstreamAllow(settings.upstreamAllow),
  cacheBytes: 2 ** 28,
  log: (level, message, fields) => process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`),
  assets: await loadWatchAssets(),
  verifyPlayback: await playbackFromSettings(settings),
  compression: { gzip: (bytes) => gzipSync(bytes) },
});
const server = serveDeno(app, settings.port, settings.host);
const ready = JSON.stringify({ ready: true, pid: process.pid, ports: { edge: server.port } });
process.stdout.write(
  `${process.stdout.isTTY ? `The edge listens on http://${settings.host}:${server.port}` : ready}\n`,
);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void server.close().then(() => process.exit(0)));
}
