/**
 * Where a viewer shows a playback token: as Bearer token, as `?token=`, or as the cookie `hw_token`, the first that is
 * there. It goes to the verifier and nowhere else.
 */
export interface ShownToken {
  readonly token: string;
  /** `query`: the URL is the viewer's own, and shared caches keep its reply apart from others'. */
  readonly by: 'query' | 'header';
}

const COMPACT_JWT = /^[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,2048}$/;

/**
 * @param query what follows the question mark, undecoded
 * @returns undefined when there is none; a text that is no JWT comes back as an empty token, which nobody accepts
 */
export function readPlaybackToken(
  headers: { get(name: string): string | null },
  query: string,
): ShownToken | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
  if (bearer !== undefined) return { token: wellFormed(bearer), by: 'header' };
  for (const pair of query.split('&')) {
    if (pair.startsWith('token=')) return { token: wellFormed(pair.slice(6)), by: 'query' };
  }
  const cookie = /(?:^|;)\s*hw_token=([^;\s]+)/.exec(headers.get('cookie') ?? '')?.[1];
  return cookie === undefined ? undefined : { token: wellFormed(cookie), by: 'header' };
}

function wellFormed(text: string): string {
  return COMPACT_JWT.test(text) ? text : '';
}
