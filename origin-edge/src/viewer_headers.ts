/**
 * Headers that stand on every reply to a viewer, and the replies that are not media: problems, preflights, redirects.
 * Plain objects throughout: @hono/node-server writes those without building a Headers first.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { problemBody } from '../../contracts/problem.ts';
import type { Problem } from '../../contracts/problem.ts';

export type HeaderRecord = Readonly<Record<string, string>>;

/** Any page may play any public stream (Fetch standard, CORS protocol), and read what players measure by. */
export const CORS_HEADERS: HeaderRecord = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Content-Length, Content-Range, Content-Encoding, Accept-Ranges, Date, Age, ETag, Retry-After',
  'timing-allow-origin': '*',
};

export const COMMON_HEADERS: HeaderRecord = {
  ...CORS_HEADERS,
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'cross-origin',
};

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS';

const PREFLIGHT_HEADERS: HeaderRecord = {
  ...COMMON_HEADERS,
  'access-control-allow-methods': ALLOWED_METHODS,
  'access-control-allow-headers':
    'Range, If-Range, If-None-Match, Authorization, Content-Type, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status',
  'access-control-max-age': '86400',
  'cache-control': 'public, max-age=86400',
  allow: ALLOWED_METHODS,
};

/** What any OPTIONS request gets. */
export function preflight(): Response {
  return new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
}

/** A problem+json reply. 404 may be cached for a second, everything else not at all. */
export function problem(what: Problem, extra: HeaderRecord = {}): Response {
  return new Response(problemBody(what), {
    status: what.status,
    headers: { ...problemHeaders(what.status), ...extra },
  });
}

/** The headers of a problem of that status, without Content-Length. */
export function problemHeaders(status: number): HeaderRecord {
  return {
    ...COMMON_HEADERS,
    'content-type': CONTENT_TYPE.problem,
    'cache-control': CACHE_POLICY[status === 404 ? 'not-found' : 'error'].cacheControl(0),
  };
}

export function wrongMethod(): Response {
  return problem({ status: 405, title: 'Method Not Allowed' }, { allow: ALLOWED_METHODS });
}

/** A short text, never cached: health. */
export function plainText(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: {
      ...COMMON_HEADERS,
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': CACHE_POLICY.error.cacheControl(0),
    },
  });
}

/** @param location a path of our own */
export function redirect(location: string): Response {
  return new Response(null, {
    status: 302,
    headers: { ...COMMON_HEADERS, location, 'content-length': '0', 'cache-control': CACHE_POLICY.page.cacheControl(0) },
  });
}
