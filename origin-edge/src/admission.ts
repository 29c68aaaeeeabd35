/**
 * Who may have an object: whatever is public, and what a playback token opens. Asked by the edge itself, and by caches
 * in front of it that hand one copy to many.
 */
import { CACHE_POLICY } from '../../contracts/cache_policy.ts';
import { parseMediaPath } from '../../contracts/media_paths.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import type { PlaybackPolicy } from '../../contracts/registry.ts';
import { ownPolicy } from './own_policy.ts';
import type { OwnPolicyParts } from './own_policy.ts';
import { readPlaybackToken } from './playback_token.ts';
import type { VerifyPlayback } from './playback_verifier.ts';
import { originFormOf, readTarget } from './request_target.ts';
import { problemReply, toResponse } from './respond.ts';
import type { Asker, Reply } from './respond.ts';
import { COMMON_HEADERS } from './viewer_headers.ts';
import type { HeaderRecord } from './viewer_headers.ts';

/**
 * How a viewer was admitted decides which form of an object is theirs: `open` to all, `token` in the URL (playlists hand
 * it on), or `private` by a header or a cookie.
 */
export type AdmittedForm = 'open' | 'token' | 'private';

export interface Admission {
  /** The policy of the recording that the object belongs to; undefined: the stream's decides. */
  readonly own: PlaybackPolicy | undefined;
  /** Undefined: nobody knows the stream. */
  readonly policy: PlaybackPolicy | undefined;
  readonly form: AdmittedForm;
}

/** Why not. */
export interface Refusal {
  readonly refusal: Reply;
}

export interface AdmissionParts extends OwnPolicyParts {
  /** Undefined: this edge has no keys, and refuses every token. */
  readonly verifyPlayback: VerifyPlayback | undefined;
}

const UNAUTHORIZED = { status: 401, title: 'Unauthorized' };
const FORBIDDEN = { status: 403, title: 'Forbidden' };
const UNAVAILABLE = { status: 503, title: 'Service Unavailable' };
/** Before the path of an object: asks for the permission alone. `api` is no stream's id. */
export const ACCESS_PREFIX = '/api/access';

/**
 * @param found the policy that the object turned out to have, where nobody knew it before it was loaded
 * @returns the refusal, or why the viewer may have the object
 */
export async function admit(
  parts: AdmissionParts,
  path: MediaPath,
  headers: Asker['headers'],
  query: string,
  found?: PlaybackPolicy,
): Promise<Refusal | Admission> {
  const { lookup } = parts;
  const own = found ?? (await ownPolicy(parts, path));
  if (own === 'unavailable') return { refusal: problemReply(UNAVAILABLE) };
  if ((own ?? lookup.policy(path.streamId)) === undefined) await lookup.find(path.streamId).catch(() => undefined);
  const policy = own ?? lookup.policy(path.streamId);
  const isOpen = policy === 'public' || policy === undefined;
  if (isOpen) return { own, policy, form: 'open' };
  // Fails closed: whatever is not known to be public wants a token; an unknown stream has nothing to show.
  const shown = readPlaybackToken(headers, query);
  if (shown === undefined) return { refusal: problemReply(UNAUTHORIZED, { 'www-authenticate': 'Bearer' }) };
  if ((await parts.verifyPlayback?.(shown.token, path.streamId)) !== true) {
    return { refusal: problemReply(FORBIDDEN) };
  }
  return { own, policy, form: shown.by === 'query' ? 'token' : 'private' };
}

/**
 * As `admit`, for a cache that may hold a reply of another edge, which heard of a new policy before this one: the
 * registry is asked unless it was a second ago.
 * @returns undefined when the target names no object of ours
 */
export async function admitToTarget(
  parts: AdmissionParts,
  headers: Asker['headers'],
  originForm: string,
): Promise<Refusal | Admission | undefined> {
  const target = readTarget(originForm);
  const path = parseMediaPath(target.path);
  if (path === undefined) return undefined;
  await parts.lookup.find(path.streamId).catch(() => undefined);
  return admit(parts, path, headers, target.query);
}

/**
 * Whether a viewer may have an object, for caches that hand one copy to many (docs/cdn.md): 204, 401 or 403, with how
 * long the answer may be kept for that token and that part of the path. Says nothing of whether the object exists.
 */
export async function serveAccess(parts: AdmissionParts, request: Request): Promise<Response> {
  const admission = await admitToTarget(parts, request.headers, originFormOf(request.url).slice(ACCESS_PREFIX.length));
  if (admission !== undefined && 'refusal' in admission) return toResponse(admission.refusal);
  const kind =
    admission?.form === 'token' ? 'access-token' : admission?.policy === 'public' ? 'access-public' : 'unknown';
  return new Response(null, { status: 204, headers: accessHeaders(kind) });
}

function accessHeaders(kind: 'access-token' | 'access-public' | 'unknown'): HeaderRecord {
  return { ...COMMON_HEADERS, 'cache-control': CACHE_POLICY[kind === 'unknown' ? 'error' : kind].cacheControl(0) };
}
