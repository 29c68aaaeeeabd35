/**
 * Answers everything that is no page: media, preflights, wrong methods, wrong paths. What it looks things up in is given
 * to it.
 */
import { ContractError } from '../../contracts/contract_error.ts';
import type { StreamId } from '../../contracts/ids.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { parsePlaylistQuery } from '../../contracts/playlist_query.ts';
import { ClipError, parseClipQuery } from '../../contracts/recording_clip.ts';
import type { PlaybackPolicy } from '../../contracts/registry.ts';
import { admit } from './admission.ts';
import type { AdmittedForm } from './admission.ts';
import type { EdgeCounters } from './edge_counters.ts';
import { objectKey } from './edge_objects.ts';
import type { EdgeObjects, ObjectQuery } from './edge_objects.ts';
import type { VerifyPlayback } from './playback_verifier.ts';
import type { RecordingObjects } from './recording/recording_objects.ts';
import { isVlc } from './recording/vlc_form.ts';
import { originFormOf, queryValue, readTarget } from './request_target.ts';
import { problemReply, respond, toResponse } from './respond.ts';
import type { Asker, Compression, Reply } from './respond.ts';
import type { StoredObject } from './stored_object.ts';
import type { StreamLookup } from './stream_lookup.ts';
import { readViewerReport } from './viewer_reports.ts';
import type { ViewerReports } from './viewer_reports.ts';
import { preflight, problem, wrongMethod } from './viewer_headers.ts';

export interface MediaHandlerParts {
  readonly lookup: Pick<StreamLookup, 'policy' | 'policyBefore' | 'find'>;
  readonly objects: Pick<EdgeObjects, 'peek' | 'load'>;
  /** Undefined: this edge has not been given a store. */
  readonly recordings: Pick<RecordingObjects, 'policy' | 'newestPolicy'> | undefined;
  readonly counters: EdgeCounters;
  readonly monotonicMs: () => number;
  readonly compression: Compression;
  /** Undefined: this edge has no keys, and refuses every token. */
  readonly verifyPlayback: VerifyPlayback | undefined;
  /** Told of each request that was answered with something of the stream. */
  readonly viewerReports: Pick<ViewerReports, 'take'> | undefined;
}

export interface MediaHandler {
  /**
   * The reply, at once when the stream is public and the object in memory. Undefined: no GET or HEAD of an object of ours.
   * @param target in origin form (RFC 9112 section 3.2.1)
   */
  readonly answer: (asker: Asker, target: string) => Reply | Promise<Reply> | undefined;
  readonly serve: (request: Request) => Response | Promise<Response>;
  /** The object in the form for a viewer who was admitted by that: for a cache behind its own admission. */
  readonly admitted: (request: Request, form: AdmittedForm) => Promise<Response>;
  /** The target without what makes no other object of it; undefined: it names no object of ours. */
  readonly keyOf: (target: string) => string | undefined;
}

const NO_QUERY: ObjectQuery = { skip: false };

export function createMediaHandler(parts: MediaHandlerParts): MediaHandler {
  const { lookup, objects, counters, monotonicMs, compression } = parts;
  const find = (target: string): StoredObject | undefined => {
    // A target that is a key as it stands needs no parsing: nothing but what was parsed becomes a key.
    const known = objects.peek(target);
    if (known !== undefined) {
      const policy = known.policy ?? lookup.policy(target.slice(1, target.indexOf('/', 1)) as StreamId);
      return policy === 'public' ? known : undefined;
    }
    const { path: pathname, query: queryText } = readTarget(target);
    if (queryText === '') return undefined;
    const path = parseMediaPath(pathname);
    const query = path === undefined ? undefined : readQuery(path, queryText);
    if (path === undefined || query === undefined || query instanceof Error) return undefined;
    const object = objects.peek(objectKey(path, pathname, query));
    return (object?.policy ?? lookup.policy(path.streamId)) === 'public' ? object : undefined;
  };
  const fromMemory = (asker: Asker, target: string): Reply | undefined => {
    const object = find(target);
    if (object === undefined) return undefined;
    const reply = respond(asker, forPlayer(object, asker), monotonicMs(), compression);
    if (reply instanceof Promise) return undefined;
    counters.requests += 1;
    counters.memoryHits += 1;
    if (reply.status < 400) hearViewer(parts.viewerReports, asker, target);
    return reply;
  };
  const answer = (asker: Asker, target: string): Reply | Promise<Reply> | undefined => {
    if (asker.method !== 'GET' && asker.method !== 'HEAD') return undefined;
    return fromMemory(asker, target) ?? answerSlowly(parts, asker, target);
  };
  const serve = (request: Request): Response | Promise<Response> => {
    const reply = answer(request, originFormOf(request.url));
    if (reply instanceof Promise) return reply.then(toResponse);
    if (reply !== undefined) return toResponse(reply);
    if (request.method === 'OPTIONS') return preflight();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    return isRead ? problem({ status: 404, title: 'Not Found' }) : wrongMethod();
  };
  return {
    answer,
    serve,
    admitted: async (request, form) => {
      const reply = await answerSlowly(parts, request, originFormOf(request.url), { form });
      return reply === undefined ? problem({ status: 404, title: 'Not Found' }) : toResponse(reply);
    },
    keyOf: canonicalTarget,
  };
}

/** @param target of an object that there is: its first part is the id of a stream that exists */
function hearViewer(reports: Pick<ViewerReports, 'take'> | undefined, asker: Asker, target: string): void {
  const report = reports === undefined ? undefined : readViewerReport(asker.headers, target);
  if (report !== undefined) reports?.take(target.slice(1, target.indexOf('/', 1)) as StreamId, report);
}

/** VLC gets a recording's playlists in a form of its own. */
function forPlayer(object: StoredObject, asker: Asker): StoredObject {
  return object.hasVlcForm && isVlc(asker.headers) ? object.vlcForm() : object;
}

interface Known {
  /** The policy that the object turned out to have, where nobody knew it before it was loaded. */
  readonly found?: PlaybackPolicy;
  /** Set when the viewer was admitted before. */
  readonly form?: AdmittedForm;
}

/** What a request asks for, read once. */
interface Wanted {
  /** In origin form. */
  readonly target: string;
  readonly pathname: string;
  readonly path: MediaPath;
  readonly query: string;
}

function answerSlowly(
  parts: MediaHandlerParts,
  asker: Asker,
  target: string,
  known: Known = {},
): Promise<Reply> | undefined {
  const { path: pathname, query } = readTarget(target);
  const path = parseMediaPath(pathname);
  if (path === undefined) return undefined;
  parts.counters.requests += 1;
  return answerWanted(parts, asker, { target, pathname, path, query }, known);
}

async function answerWanted(parts: MediaHandlerParts, asker: Asker, wanted: Wanted, known: Known): Promise<Reply> {
  const { lookup, objects, monotonicMs, compression } = parts;
  const { path } = wanted;
  const query = readQuery(path, wanted.query);
  if (query instanceof Error) return problemReply({ status: 400, title: 'Bad Request', detail: query.message });
  const admission =
    known.form === undefined
      ? await admit(parts, path, asker.headers, wanted.query, known.found)
      : { own: undefined, form: known.form };
  if ('refusal' in admission) return admission.refusal;
  const { own, form } = admission;
  const key = objectKey(path, wanted.pathname, query);
  const object = objects.peek(key) ?? (await objects.load(path, key, query));
  // The load may have been the first to learn that the stream is not public.
  const learnt = object.policy ?? own ?? lookup.policy(path.streamId) ?? 'public';
  if (form === 'open' && learnt !== 'public') return answerWanted(parts, asker, wanted, { found: learnt });
  if (object.status === 200) hearViewer(parts.viewerReports, asker, wanted.target);
  const played = forPlayer(object, asker);
  const formed = form === 'open' ? played : form === 'token' ? played.tokenForm() : played.privateForm();
  return respond(asker, formed, monotonicMs(), compression);
}

function canonicalTarget(target: string): string | undefined {
  const { path: pathname, query: text } = readTarget(target);
  const path = parseMediaPath(pathname);
  const query = path === undefined ? undefined : readQuery(path, text);
  return path === undefined || query === undefined || query instanceof Error
    ? undefined
    : objectKey(path, pathname, query);
}

function readQuery(path: MediaPath, query: string): ObjectQuery | ContractError | ClipError {
  if (query === '') return NO_QUERY;
  try {
    if (path.kind === 'media') return parsePlaylistQuery(query);
    if (path.kind === 'segment') return { skip: false, form: segmentForm(query) };
    // A server that offers no blocking reload passes over what asks for one (RFC 8216bis section 6.2.5).
    if (path.kind === 'rewind-media') return { skip: /^(?:YES|v2)$/.test(queryValue(query, '_HLS_skip') ?? '') };
    if (path.kind !== 'vod-multivariant' && path.kind !== 'vod-media') return NO_QUERY;
    return { skip: false, clip: parseClipQuery(queryValue(query, 'start'), queryValue(query, 'end')) };
  } catch (error) {
    if (error instanceof ContractError || error instanceof ClipError) return error;
    throw error;
  }
}

function segmentForm(query: string): ObjectQuery['form'] {
  if (queryValue(query, 'init') === '1') return 'init';
  return queryValue(query, 'gap') === '1' ? 'gap' : undefined;
}
