/**
 * Answers everything that is no page: media, preflights, wrong methods, wrong paths. What it looks things up in is given
 * to it.
 */
import { ContractError } from '../../contracts/contract_error.ts';
import type { StreamId } from '../../contracts/ids.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { parsePlaylistQuery } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import type { EdgeCounters } from './edge_counters.ts';
import { objectKey } from './edge_objects.ts';
import type { EdgeObjects } from './edge_objects.ts';
import { readPlaybackToken } from './playback_token.ts';
import type { VerifyPlayback } from './playback_verifier.ts';
import { originFormOf, readTarget } from './request_target.ts';
import { respond, toResponse } from './respond.ts';
import type { Asker, Compression, Reply } from './respond.ts';
import type { StoredObject } from './stored_object.ts';
import type { StreamLookup } from './stream_lookup.ts';
import { preflight, problem, wrongMethod } from './viewer_headers.ts';

export interface MediaHandlerParts {
  readonly lookup: Pick<StreamLookup, 'policy' | 'find'>;
  readonly objects: Pick<EdgeObjects, 'peek' | 'load'>;
  readonly counters: EdgeCounters;
  readonly monotonicMs: () => number;
  readonly compression: Compression;
  /** Undefined: this edge has no keys, and refuses every token. */
  readonly verifyPlayback: VerifyPlayback | undefined;
}

export interface MediaHandler {
  /**
   * The reply, when the stream is public and the object in memory.
   * @param target in origin form (RFC 9112 section 3.2.1)
   */
  readonly fromMemory: (asker: Asker, target: string) => Reply | undefined;
  readonly serve: (request: Request) => Response | Promise<Response>;
}

const UNAUTHORIZED = { status: 401, title: 'Unauthorized' };
const FORBIDDEN = { status: 403, title: 'Forbidden' };
const NO_QUERY: PlaylistQuery = { skip: false };

export function createMediaHandler(parts: MediaHandlerParts): MediaHandler {
  const { lookup, objects, counters, monotonicMs, compression } = parts;
  const find = (target: string): StoredObject | undefined => {
    // A target that is a key as it stands needs no parsing: nothing but what was parsed becomes a key.
    const known = objects.peek(target);
    if (known !== undefined) {
      return lookup.policy(target.slice(1, target.indexOf('/', 1)) as StreamId) === 'public' ? known : undefined;
    }
    const { path: pathname, query: queryText } = readTarget(target);
    if (queryText === '') return undefined;
    const path = parseMediaPath(pathname);
    if (path === undefined || lookup.policy(path.streamId) !== 'public') return undefined;
    const query = readQuery(path, queryText);
    return query instanceof ContractError ? undefined : objects.peek(objectKey(path, pathname, query));
  };
  const fromMemory = (asker: Asker, target: string): Reply | undefined => {
    if (asker.method !== 'GET' && asker.method !== 'HEAD') return undefined;
    const object = find(target);
    if (object === undefined) return undefined;
    const reply = respond(asker, object, monotonicMs(), compression);
    if (reply instanceof Promise) return undefined;
    counters.requests += 1;
    counters.memoryHits += 1;
    return reply;
  };
  const serve = (request: Request): Response | Promise<Response> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return request.method === 'OPTIONS' ? preflight() : wrongMethod();
    }
    const target = originFormOf(request.url);
    const reply = fromMemory(request, target);
    return reply === undefined ? serveSlowly(parts, request, target) : toResponse(reply);
  };
  return { fromMemory, serve };
}

async function serveSlowly(parts: MediaHandlerParts, request: Request, originForm: string): Promise<Response> {
  const { lookup, objects, counters, monotonicMs, compression } = parts;
  const target = readTarget(originForm);
  const path = parseMediaPath(target.path);
  if (path === undefined) return problem({ status: 404, title: 'Not Found' });
  counters.requests += 1;
  const query = readQuery(path, target.query);
  if (query instanceof ContractError) return problem({ status: 400, title: 'Bad Request', detail: query.message });
  if (lookup.policy(path.streamId) === undefined) await lookup.find(path.streamId).catch(() => undefined);
  const policy = lookup.policy(path.streamId);
  const isOpen = policy === 'public' || policy === undefined;
  const shown = isOpen ? undefined : readPlaybackToken(request.headers, target.query);
  // Fails closed: whatever is not known to be public wants a token; an unknown stream has nothing to show.
  if (!isOpen) {
    if (shown === undefined) return problem(UNAUTHORIZED, { 'www-authenticate': 'Bearer' });
    if ((await parts.verifyPlayback?.(shown.token, path.streamId)) !== true) return problem(FORBIDDEN);
  }
  const key = objectKey(path, target.path, query);
  const object = objects.peek(key) ?? (await objects.load(path, key, query));
  // The load may have been the first to learn that the stream is not public.
  if (isOpen && (lookup.policy(path.streamId) ?? 'public') !== 'public') return serveSlowly(parts, request, originForm);
  const form = shown === undefined ? object : shown.by === 'query' ? object.tokenForm() : object.privateForm();
  return toResponse(await respond(request, form, monotonicMs(), compression));
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
