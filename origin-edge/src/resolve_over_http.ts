/**
 * Finds streams through the `resolve` function over HTTPS, for edges that hold no connection to Redis.
 */
import type { StreamId } from '../../contracts/ids.ts';
import { streamRecordSchema } from '../../contracts/registry.ts';
import type { StreamRecord } from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';

export interface ResolveOverHttpOptions {
  /** `GET {url}/{streamId}` answers with a record or 404. */
  readonly url: string;
  /** Shown as Bearer token. */
  readonly token?: string | undefined;
  /** Default 2000 ms. */
  readonly timeoutMs?: number;
}

/** @returns the edge's `resolve`; it rejects on anything but a record or 404, never naming the token */
export function resolveOverHttp(
  options: ResolveOverHttpOptions,
): (streamId: StreamId) => Promise<StreamRecord | undefined> {
  const base = options.url.replace(/\/+$/, '');
  const headers: Record<string, string> = { accept: 'application/json' };
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
  return async (streamId) => {
    const reply = await fetch(`${base}/${streamId}`, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(options.timeoutMs ?? 2000),
    });
    if (reply.status !== 200) {
      await reply.body?.cancel();
      if (reply.status === 404) return undefined;
      throw new Error(`resolve answered ${reply.status}, wanted 200 or 404`);
    }
    return parsePayload(streamRecordSchema, await reply.json(), 'record');
  };
}
