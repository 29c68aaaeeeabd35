/**
 * GET from a media server through the platform's fetch, for runtimes other than Node.
 */
import type { EdgeDependencies, UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { readWhole } from '../src/read_whole.ts';

/** @param mediaToken shown as Bearer token */
export function createWebUpstream(mediaToken: string | undefined): EdgeDependencies['fetchUpstream'] {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (mediaToken !== undefined) headers.authorization = `Bearer ${mediaToken}`;
  return async (url, limits): Promise<UpstreamReply> => {
    // A redirect would take the token to an address that nobody has allowed.
    const response = await fetch(url, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(limits.timeoutMs),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await readWhole(response, limits.maxBytes),
    };
  };
}
