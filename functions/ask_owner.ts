/**
 * Asks the server of a silent session whether it still serves it: the stream's status over private HTTP. A server that
 * cannot reach the registry keeps its streams, and must not lose them for that.
 */
import * as z from 'zod/mini';
import type { OwnerWord, SilentSession } from './reap_sessions.ts';

export interface AskOwnerOptions {
  /** The token of the fleet's media servers. */
  readonly mediaToken: string | undefined;
  /** For one answer, ms. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 1_000;
/** More than any status is long. */
const MOST_BYTES = 262_144;

const statusSchema = z.object({ state: z.string(), sessionId: z.optional(z.string()) });

/** @throws Error beyond `MOST_BYTES` */
async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw new Error(`the status is longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The function never rejects: whatever is no answer is `unreachable`. */
export function createAskOwner({ mediaToken, timeoutMs = TIMEOUT_MS }: AskOwnerOptions) {
  return async ({ address, streamId, sessionId }: SilentSession): Promise<OwnerWord> => {
    try {
      const reply = await fetch(`${address.private.replace(/\/+$/, '')}/${streamId}/status.json`, {
        headers: mediaToken === undefined ? {} : { authorization: `Bearer ${mediaToken}` },
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (reply.status !== 200 || reply.body === null) {
        await reply.body?.cancel();
        return reply.status === 404 ? 'gone' : 'unreachable';
      }
      const status = z.parse(statusSchema, JSON.parse(await readBounded(reply.body)));
      return status.sessionId === sessionId && status.state !== 'ended' ? 'serving' : 'gone';
    } catch {
      // Refused, reset, late, or no status: nobody there could say that the session lives.
      return 'unreachable';
    }
  };
}
