/**
 * The edge's app: what viewers and CDNs talk to. Web APIs only; everything that depends on a runtime is given to it.
 */
import { Hono } from 'hono';
import { ContractError } from '../../contracts/contract_error.ts';
import type { EdgeDependencies } from '../../contracts/edge_dependencies.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { parsePlaylistQuery } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import { systemAfter } from './after.ts';
import type { After } from './after.ts';
import { newEdgeCounters } from './edge_counters.ts';
import type { EdgeCounters } from './edge_counters.ts';
import { EdgeObjects, objectKey } from './edge_objects.ts';
import { gzipByStream } from './gzip_stream.ts';
import { MediaLoader } from './media_loader.ts';
import { ObjectCache } from './object_cache.ts';
import { PlaylistLoader } from './playlist_loader.ts';
import { readTarget } from './request_target.ts';
import { respond } from './respond.ts';
import type { Compression } from './respond.ts';
import { StreamLookup } from './stream_lookup.ts';
import type { AddressFilter } from './upstream_allow.ts';
import { UpstreamReader } from './upstream_reader.ts';
import { CORS_HEADERS, plainText, preflight, problem, redirect, wrongMethod } from './viewer_headers.ts';
import { watchRoutes } from './watch/watch_routes.ts';
import type { WatchDependencies } from './watch/watch_routes.ts';

/** One line for the log. `fields` holds no token and no query. */
export type EdgeLog = (level: 'error' | 'warn', message: string, fields: Readonly<Record<string, unknown>>) => void;

export interface AppDependencies extends EdgeDependencies, WatchDependencies {
  /** Which of a server's addresses this edge uses. */
  readonly upstreamBase: 'private' | 'public';
  readonly mayFollow: AddressFilter;
  /** Bodies kept in memory, bytes. */
  readonly cacheBytes: number;
  readonly log: EdgeLog;
  /** Default: true. False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork?: boolean;
  /** Default: setTimeout. */
  readonly after?: After;
  /** Default: CompressionStream, and the request's own header. */
  readonly compression?: Partial<Compression>;
  /** Whether the edge should get traffic, for /readyz. Default: always. */
  readonly ready?: () => boolean;
}

export interface EdgeApp {
  readonly app: Hono;
  readonly counters: EdgeCounters;
}

const NO_QUERY: PlaylistQuery = { skip: false };

export function createApp(deps: AppDependencies): EdgeApp {
  const counters = newEdgeCounters();
  const { lookup, objects } = composeObjects(deps, counters);
  const serve = mediaHandler({
    lookup,
    objects,
    counters,
    monotonicMs: deps.monotonicMs,
    compression: {
      gzip: gzipByStream,
      acceptEncoding: (request) => request.headers.get('accept-encoding'),
      ...deps.compression,
    },
  });
  const app = new Hono();
  const pages = composePages(deps);
  app.onError((error, c) => {
    counters.internalErrors += 1;
    deps.log('error', 'a request failed', { path: readTarget(c.req.raw.url).path, error: String(error.stack) });
    return problem({ status: 500, title: 'Internal Server Error' });
  });
  app.get('/', () => redirect('/watch'));
  app.get('/livez', () => plainText(200, 'ok'));
  app.get('/readyz', () => (deps.ready?.() === false ? plainText(503, 'not ready') : plainText(200, 'ok')));
  app.on('GET', ['/watch', '/watch/*', '/embed/*'], (c) => pages(c.req.raw));
  app.all('*', (c) => serve(c.req.raw));
  return { app, counters };
}

function composeObjects(
  deps: AppDependencies,
  counters: EdgeCounters,
): { readonly lookup: StreamLookup; readonly objects: EdgeObjects } {
  const { monotonicMs } = deps;
  const shareWork = deps.shareWork ?? true;
  const after = deps.after ?? systemAfter;
  const lookup = new StreamLookup({
    resolve: deps.resolve,
    monotonicMs,
    after,
    shareWork,
    onFailure: (error) => {
      counters.registryFailures += 1;
      deps.log('warn', 'the registry could not be asked', { error: describe(error) });
    },
  });
  const upstream = new UpstreamReader({
    fetchUpstream: deps.fetchUpstream,
    base: deps.upstreamBase,
    mayFollow: deps.mayFollow,
    counters,
    onFailure: (reason, error) => deps.log('warn', reason, error === undefined ? {} : { error: describe(error) }),
  });
  const objects = new EdgeObjects({
    cache: new ObjectCache(deps.cacheBytes),
    playlists: new PlaylistLoader({ lookup, upstream, monotonicMs, after, counters }),
    media: new MediaLoader({ lookup, upstream, monotonicMs }),
    monotonicMs,
    shareWork,
  });
  return { lookup, objects };
}

interface MediaHandlerParts {
  readonly lookup: Pick<StreamLookup, 'policy' | 'find'>;
  readonly objects: Pick<EdgeObjects, 'peek' | 'load'>;
  readonly counters: EdgeCounters;
  readonly monotonicMs: () => number;
  readonly compression: Compression;
}

/** Answers everything that is no page: media, preflights, wrong methods, wrong paths. */
export function mediaHandler(parts: MediaHandlerParts): (request: Request) => Response | Promise<Response> {
  const { lookup, objects, counters, monotonicMs, compression } = parts;
  return (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return request.method === 'OPTIONS' ? preflight() : wrongMethod();
    }
    const target = readTarget(request.url);
    const path = parseMediaPath(target.path);
    if (path === undefined) return problem({ status: 404, title: 'Not Found' });
    counters.requests += 1;
    const query = readQuery(path, target.query);
    if (query instanceof ContractError) {
      return problem({ status: 400, title: 'Bad Request', detail: query.message });
    }
    const key = objectKey(path, target.path, query);
    if (lookup.policy(path.streamId) === 'public') {
      const object = objects.peek(key);
      if (object !== undefined) {
        counters.memoryHits += 1;
        return respond(request, object, monotonicMs(), compression);
      }
    }
    return answerSlowly(parts, request, path, key, query);
  };
}

async function answerSlowly(
  parts: MediaHandlerParts,
  request: Request,
  path: MediaPath,
  key: string,
  query: PlaylistQuery,
): Promise<Response> {
  const { lookup, objects, monotonicMs, compression } = parts;
  if (lookup.policy(path.streamId) === undefined) await lookup.find(path.streamId).catch(() => undefined);
  const policy = lookup.policy(path.streamId);
  // Fails closed: whatever is not known to be public wants a token, and this edge has no keys to check one by.
  if (policy !== undefined && policy !== 'public') {
    return problem({ status: 401, title: 'Unauthorized' }, { 'www-authenticate': 'Bearer' });
  }
  const object = objects.peek(key) ?? (await objects.load(path, key, query));
  return respond(request, object, monotonicMs(), compression);
}

function readQuery(path: MediaPath, query: string): PlaylistQuery | ContractError {
  if (path.kind !== 'media' || query === '') return NO_QUERY;
  try {
    return parsePlaylistQuery(query);
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
}

/**
 * The pages stand in an app of their own: their patterns would keep Hono from its fastest router, which the media path
 * needs.
 */
function composePages(deps: AppDependencies): (request: Request) => Promise<Response> {
  const app = new Hono();
  app.onError((error) => {
    throw error;
  });
  app.notFound(() => problem({ status: 404, title: 'Not Found' }));
  watchRoutes(app, deps);
  return async (request) => {
    const response = await app.fetch(request);
    addCors(response.headers);
    return response;
  };
}

/** A page's reply gets what every reply has; what the page itself says stays. */
function addCors(headers: Headers): void {
  for (const [name, value] of Object.entries(CORS_HEADERS)) headers.set(name, value);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
}

/** An error in one line, for logs. */
function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}
