/**
 * What each kind of reply tells caches and browsers. One table for the transcoder, the edge and the documentation.
 * Times follow RFC 8216bis appendix B where that names one.
 */

export type CacheableKind =
  | 'multivariant'
  | 'media-playlist'
  | 'media-playlist-blocking'
  | 'media-playlist-ended'
  | 'recording-live'
  | 'recording-final'
  | 'rewind'
  | 'media'
  | 'poster'
  | 'status'
  | 'access-token'
  | 'access-public'
  | 'page'
  | 'asset'
  | 'not-found'
  | 'error';

export interface CachePolicy {
  /** The Cache-Control header for a target duration of `targetDuration` seconds. */
  readonly cacheControl: (targetDuration: number) => string;
  /** Why it is so, for docs/architecture.md. */
  readonly why: string;
}

export const CACHE_POLICY: Readonly<Record<CacheableKind, CachePolicy>> = {
  multivariant: {
    cacheControl: (targetDuration) =>
      `public, max-age=${Math.max(1, Math.floor(targetDuration / 2))}, stale-while-revalidate=${targetDuration}`,
    why: 'fixed within a session; short, so that the next session is seen at once',
  },
  'media-playlist': {
    cacheControl: () => 'public, max-age=1',
    why: 'a plain reload asks for the newest state',
  },
  'media-playlist-blocking': {
    cacheControl: (targetDuration) => `public, max-age=${6 * targetDuration}`,
    why: 'the reply to one `_HLS_msn`, `_HLS_part` never changes in a way that matters (RFC 8216bis appendix B.1)',
  },
  'media-playlist-ended': {
    cacheControl: () => 'public, max-age=1',
    why: 'ENDLIST may be followed by the next session at the same URL',
  },
  'recording-live': {
    cacheControl: () => 'public, max-age=1',
    why: 'the playlist of a recording grows while the show goes on',
  },
  'recording-final': {
    cacheControl: () => 'public, max-age=60, stale-while-revalidate=600',
    why: 'final; not immutable, because a recording may be deleted and segments may still be found',
  },
  rewind: { cacheControl: () => 'public, max-age=1', why: 'grows and slides with the live edge' },
  media: {
    cacheControl: () => 'public, max-age=1209600, immutable',
    why: 'the epoch in the path makes each URL immutable: two weeks',
  },
  poster: { cacheControl: () => 'public, max-age=5', why: 'a recent picture' },
  status: { cacheControl: () => 'public, max-age=1', why: 'polled by pages that wait for a stream' },
  'access-token': {
    cacheControl: () => 'public, max-age=5',
    why: 'a cache that asks whether a token opens a path need not ask for each object',
  },
  'access-public': { cacheControl: () => 'public, max-age=1', why: 'the next session may be signed' },
  page: { cacheControl: () => 'public, max-age=60', why: 'the watch page' },
  asset: { cacheControl: () => 'public, max-age=31536000, immutable', why: 'named by its content' },
  'not-found': { cacheControl: () => 'public, max-age=1', why: 'a stream or part may be there a moment later' },
  error: { cacheControl: () => 'no-store', why: 'errors and refusals are never cached' },
};

/** Content types of what is served (RFC 8216bis section 4, RFC 9457). */
export const CONTENT_TYPE = {
  playlist: 'application/vnd.apple.mpegurl',
  video: 'video/mp4',
  audio: 'audio/mp4',
  poster: 'image/jpeg',
  json: 'application/json; charset=utf-8',
  problem: 'application/problem+json',
} as const;
