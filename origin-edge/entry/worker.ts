/**
 * The edge on Cloudflare Workers. A socket or a promise of one request is of no use to another there, so that nothing
 * is shared but bytes: streams are found over HTTPS, and what collapses requests is Workers Cache. That runs before the
 * entrypoint that it caches, so the default one, which it does not cache, admits viewers and asks the other for the
 * object (wrangler.toml).
 */
import { gzipSync } from 'node:zlib';
import { WorkerEntrypoint } from 'cloudflare:workers';
import files from 'headwater:watch-assets';
import type { AdmittedForm } from '../src/admission.ts';
import { createApp } from '../src/app.ts';
import type { EdgeApp } from '../src/app.ts';
import type { Asker } from '../src/respond.ts';
import { originFormOf } from '../src/request_target.ts';
import { resolveOverHttp } from '../src/resolve_over_http.ts';
import { parseUpstreamAllow } from '../src/upstream_allow.ts';
import type { WatchAsset } from '../src/watch/watch_routes.ts';
import { readEdgeSettings } from './edge_settings.ts';
import { playbackFromSettings } from './playback_from_settings.ts';
import { remoteRecordings, rewindSeconds } from './s3_from_environment.ts';
import { createWebUpstream } from './web_fetch_upstream.ts';
import { cachedRequest, packedFor } from './worker_cache.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const assets = new Map<string, WatchAsset>(
  files.map(([name, contentType, body]) => [name, { contentType, body: new Uint8Array(body) }]),
);

/** Cloudflare puts its own Accept-Encoding before a Worker, and the viewer's beside it. */
function acceptEncoding(asker: Asker & { readonly cf?: { readonly clientAcceptEncoding?: string } }): string | null {
  return asker.cf?.clientAcceptEncoding ?? asker.headers.get('accept-encoding');
}

function composeEdge(env: Environment): EdgeApp {
  const settings = readEdgeSettings(env, false);
  const playback = playbackFromSettings(settings);
  return createApp({
    resolve: resolveOverHttp(settings.registry),
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
    recordings: remoteRecordings(env),
    rewindSeconds: rewindSeconds(env),
    compression: { gzip: (bytes) => gzipSync(bytes), acceptEncoding },
  });
}

let edge: EdgeApp | undefined;

/** What the cache keys by, beside path and query: no two forms of an object share a copy. */
interface CachedProps {
  readonly form: AdmittedForm;
}

/** The entrypoint that Workers Cache stands before. Only the default one reaches it. */
export class CachedObjects extends WorkerEntrypoint {
  async fetch(request: Request): Promise<Response> {
    edge ??= composeEdge(this.env as Environment);
    return edge.admitted(request, (this.ctx.props as CachedProps).form);
  }
}

interface Context {
  readonly exports: {
    readonly CachedObjects: (options: { readonly props: CachedProps }) => {
      fetch(request: Request): Promise<Response>;
    };
  };
}

export default {
  async fetch(request: Request, env: Environment, context: Context): Promise<Response> {
    edge ??= composeEdge(env);
    const key = edge.keyOf(originFormOf(request.url));
    if (key === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return edge.app.fetch(request);
    const admission = await edge.admit(request);
    if (admission === undefined || admission instanceof Response) return admission ?? edge.app.fetch(request);
    // A reply in the private form says so, and is not kept.
    const cached = context.exports.CachedObjects({ props: { form: admission.form } });
    return packedFor(acceptEncoding(request), await cached.fetch(cachedRequest(request, key)));
  },
};
