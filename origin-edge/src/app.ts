/**
 * The edge's app: what viewers and CDNs talk to. Web APIs only; everything that depends on a runtime is given to it.
 */
import { Hono } from 'hono';
import type { EdgeDependencies } from '../../contracts/edge_dependencies.ts';
import { ACCESS_PREFIX, admitToTarget, serveAccess } from './admission.ts';
import type { Admission } from './admission.ts';
import { systemAfter } from './after.ts';
import type { After } from './after.ts';
import { newEdgeCounters } from './edge_counters.ts';
import type { EdgeCounters } from './edge_counters.ts';
import { EdgeObjects } from './edge_objects.ts';
import { gzipByStream } from './gzip_stream.ts';
import { createMediaHandler } from './media_handler.ts';
import type { MediaHandler, MediaHandlerParts } from './media_handler.ts';
import { MediaLoader } from './media_loader.ts';
import { ObjectCache } from './object_cache.ts';
import { PlaylistLoader } from './playlist_loader.ts';
import { RecordingObjects } from './recording/recording_objects.ts';
import type { RecordingSource } from './recording/recording_source.ts';
import { RewindLoader } from './recording/rewind_loader.ts';
import type { VerifyPlayback } from './playback_verifier.ts';
import { originFormOf, readTarget } from './request_target.ts';
import { problemReply, toResponse } from './respond.ts';
import type { Compression, Reply } from './respond.ts';
import { StreamLookup } from './stream_lookup.ts';
import type { AddressFilter } from './upstream_allow.ts';
import { UpstreamReader } from './upstream_reader.ts';
import { CORS_HEADERS, plainText, problem, redirect } from './viewer_headers.ts';
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
  /** For streams that are not public. Default: every token is refused. */
  readonly verifyPlayback?: VerifyPlayback | undefined;
  /** Where recordings are. Default: there are none. */
  readonly recordings?: RecordingSource | undefined;
  /** How far back viewers of a live stream may go, s. Default: four hours. */
  readonly rewindSeconds?: number | undefined;
  /** Where what players say about themselves (CMCD) goes. Default: nowhere. */
  readonly viewerReports?: MediaHandlerParts['viewerReports'];
  /** Whether the edge should get traffic, for /readyz. Default: always. */
  readonly ready?: () => boolean;
}

const DEFAULT_REWIND_SECONDS = 14_400;

export interface EdgeApp {
  readonly app: Hono;
  /**
   * Answers a request for media, at once when that takes no waiting. A shortcut for runtimes whose own interface is
   * cheaper than the web's: what it leaves open, `app` answers, and what both answer, they answer the same.
   */
  readonly answer: MediaHandler['answer'];
  /** For a cache between admission and answer (Workers): the three steps apart. Undefined: `app` answers. */
  readonly admit: (request: Request) => Promise<Response | Admission | undefined>;
  readonly keyOf: MediaHandler['keyOf'];
  readonly admitted: MediaHandler['admitted'];
  readonly counters: EdgeCounters;
}

export function createApp(deps: AppDependencies): EdgeApp {
  const counters = newEdgeCounters();
  const { lookup, objects, recordings } = composeObjects(deps, counters);
  const media = createMediaHandler({
    lookup,
    objects,
    recordings,
    counters,
    monotonicMs: deps.monotonicMs,
    verifyPlayback: deps.verifyPlayback,
    viewerReports: deps.viewerReports,
    compression: {
      gzip: gzipByStream,
      acceptEncoding: (request) => request.headers.get('accept-encoding'),
      ...deps.compression,
    },
  });
  const admission = { lookup, recordings, verifyPlayback: deps.verifyPlayback };
  const failed = (error: unknown, target: string): Reply => {
    counters.internalErrors += 1;
    deps.log('error', 'a request failed', {
      path: readTarget(target).path,
      error: String(error instanceof Error ? error.stack : error),
    });
    return problemReply({ status: 500, title: 'Internal Server Error' });
  };
  const app = new Hono();
  const pages = composePages(deps);
  app.onError((error, c) => {
    return toResponse(failed(error, originFormOf(c.req.raw.url)));
  });
  app.get('/', () => redirect('/watch'));
  app.get('/livez', () => plainText(200, 'ok'));
  app.get('/readyz', () => (deps.ready?.() === false ? plainText(503, 'not ready') : plainText(200, 'ok')));
  app.on('GET', ['/watch', '/watch/*', '/embed/*'], (c) => pages(c.req.raw));
  app.on('GET', `${ACCESS_PREFIX}/*`, (c) => serveAccess(admission, c.req.raw));
  app.all('*', (c) => media.serve(c.req.raw));
  return {
    app,
    answer: (asker, target) => {
      try {
        const reply = media.answer(asker, target);
        return reply instanceof Promise ? reply.catch((error: unknown) => failed(error, target)) : reply;
      } catch (error) {
        return failed(error, target);
      }
    },
    admit: async (request) => {
      const result = await admitToTarget(admission, request.headers, originFormOf(request.url));
      return result !== undefined && 'refusal' in result ? toResponse(result.refusal) : result;
    },
    admitted: media.admitted,
    keyOf: media.keyOf,
    counters,
  };
}

interface Composed {
  readonly lookup: StreamLookup;
  readonly objects: EdgeObjects;
  readonly recordings: RecordingObjects | undefined;
}

function composeObjects(deps: AppDependencies, counters: EdgeCounters): Composed {
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
  const recordings = composeRecordings(deps, counters);
  const objects = new EdgeObjects({
    lookup,
    recordings,
    rewind: new RewindLoader({
      lookup,
      recordings,
      monotonicMs,
      windowSeconds: deps.rewindSeconds ?? DEFAULT_REWIND_SECONDS,
    }),
    cache: new ObjectCache(deps.cacheBytes),
    playlists: new PlaylistLoader({ lookup, upstream, monotonicMs, after, counters }),
    media: new MediaLoader({ lookup, upstream, monotonicMs }),
    monotonicMs,
    shareWork,
  });
  return { lookup, objects, recordings };
}

function composeRecordings(deps: AppDependencies, counters: EdgeCounters): RecordingObjects | undefined {
  if (deps.recordings === undefined) return undefined;
  return new RecordingObjects({
    source: deps.recordings,
    monotonicMs: deps.monotonicMs,
    after: deps.after ?? systemAfter,
    shareWork: deps.shareWork ?? true,
    onFailure: (error, stale) => {
      counters.recordingFailures += 1;
      deps.log('warn', 'the recording store could not be read', { error: describe(error), stale });
    },
  });
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
