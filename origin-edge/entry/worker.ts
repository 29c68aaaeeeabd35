/**
 * The edge on Cloudflare Workers. A socket or a promise of one request is of no use to another there, so that nothing
 * is shared but bytes: streams are found over HTTPS, and what collapses requests is the cache in front.
 */
import { gzipSync } from 'node:zlib';
import type { Hono } from 'hono';
import files from 'headwater:watch-assets';
import { createApp } from '../src/app.ts';
import type { Asker } from '../src/respond.ts';
import { resolveOverHttp } from '../src/resolve_over_http.ts';
import { parseUpstreamAllow } from '../src/upstream_allow.ts';
import type { WatchAsset } from '../src/watch/watch_routes.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { playbackFromSettings } from './playback_from_settings.ts';
import { createWebUpstream } from './web_fetch_upstream.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const assets = new Map<string, WatchAsset>(
  files.map(([name, contentType, body]) => [name, { contentType, body: new Uint8Array(body) }]),
);

/** Cloudflare puts its own Accept-Encoding before a Worker, and the viewer's beside it. */
function acceptEncoding(asker: Asker & { readonly cf?: { readonly clientAcceptEncoding?: string } }): string | null {
  return asker.cf?.clientAcceptEncoding ?? asker.headers.get('accept-encoding');
}

function composeApp(env: Environment): Hono {
  const settings = readEdgeSettings(env);
  const playback = playbackFromSettings(settings);
  return createApp({
    resolve: resolveOverHttp({ url: settings.resolveUrl, token: settings.resolveToken }),
    fetchUpstream: createWebUpstream(settings.mediaToken),
    monotonicMs: () => performance.now(),
    upstreamBase: settings.upstreamBase,
    mayFollow: parseUpstreamAllow(settings.upstreamAllow),
    // An isolate has 128 MiB for everything.
    cacheBytes: 2 ** 25,
    shareWork: false,
    log: (level, message, fields) => globalThis.console[level](JSON.stringify({ message, ...fields })),
    assets: async (name) => Promise.resolve(assets.get(name)),
    verifyPlayback: async (token, streamId) => (await (await playback)?.(token, streamId)) ?? false,
    compression: { gzip: (bytes) => gzipSync(bytes), acceptEncoding },
  }).app;
}

let app: Hono | undefined;

export default {
  fetch(request: Request, env: Environment): Response | Promise<Response> {
    app ??= composeApp(env);
    return app.fetch(request);
  },
};
