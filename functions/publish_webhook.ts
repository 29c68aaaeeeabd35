/**
 * Asks the operator's webhook whether a publisher may publish. Only a 200 with a good grant allows, 401, 403 and 404
 * deny, and anything else is asked once more and then not allowed.
 */
import { ContractError } from '../contracts/contract_error.ts';
import { publishGrantSchema } from '../contracts/publish.ts';
import type { AuthorizePublishReply, AuthorizePublishRequest } from '../contracts/publish.ts';
import { parsePayload } from '../contracts/schema.ts';
import { guardedPost, GuardedPostError } from './guarded_post.ts';
import type { GuardedReply, ResolveName } from './guarded_post.ts';
import type { WebhookSigner } from './webhook_signature.ts';

export interface PublishWebhookOptions {
  /** http or https. */
  readonly url: URL;
  /** Requests are unsigned without it. */
  readonly signer?: WebhookSigner | undefined;
  readonly allowPrivate: boolean;
  readonly clock: {
    /** ms since 1970. */
    readonly nowMs: () => number;
  };
  /** A unique id for one question; its second request carries the same one. */
  readonly makeId: () => string;
  /** For both requests together, ms. */
  readonly budgetMs?: number;
  /** When the first request has not been answered by then, the second goes out beside it, ms. */
  readonly secondAfterMs?: number;
  /** Name look-up; the system's unless given. */
  readonly resolve?: ResolveName;
}

export type DecidePublish = (request: AuthorizePublishRequest) => Promise<AuthorizePublishReply>;

const BUDGET_MS = 4_000;
const SECOND_AFTER_MS = 2_000;
const MAX_REPLY_BYTES = 64 * 1024;
const DENYING: ReadonlySet<number> = new Set([401, 403, 404]);

/** An answer that says neither yes nor no. The message is fit for a log. */
class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}

function readReply({ status, body }: GuardedReply): AuthorizePublishReply {
  if (DENYING.has(status)) return { allowed: false, code: 'denied', reason: `the webhook answered ${status}` };
  if (status >= 300 && status < 400) {
    throw new Inconclusive(`the webhook answered with a redirect (${status}), which is not followed`);
  }
  if (status !== 200) throw new Inconclusive(`the webhook answered ${status}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    // The parser's own message quotes the text, which may hold a relay's key.
    throw new Inconclusive("the webhook's reply is not JSON", { cause: error });
  }
  try {
    return { allowed: true, grant: parsePayload(publishGrantSchema, value, 'reply') };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw new Inconclusive(`the webhook's reply cannot be used: ${error.message}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Inconclusive) return error.message;
  if (error instanceof GuardedPostError) return `the webhook was not reached: ${error.message}`;
  return 'the webhook could not be asked';
}

/** Starts once now, and once more when that fails or takes `secondAfterMs`; the first to succeed wins. */
async function firstOfTwo<Result>(start: () => Promise<Result>, secondAfterMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, secondAfterMs);
  });
  const first = start();
  // Whichever comes first, a failure or the delay, calls for the second.
  const second = Promise.race([first, slow]).then(
    (result) => result ?? start(),
    () => start(),
  );
  try {
    return await Promise.any([first, second]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors.at(-1) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** The returned function never rejects; what it cannot find out is not allowed. */
export function createPublishWebhook(options: PublishWebhookOptions): DecidePublish {
  const { budgetMs = BUDGET_MS, secondAfterMs = SECOND_AFTER_MS } = options;
  return async (request) => {
    const { streamKey, app, query, clientAddress, transcoderId } = request;
    const body = JSON.stringify({
      type: 'publish.requested',
      streamKey,
      app,
      query,
      clientAddress,
      transcoderId,
    });
    const id = options.makeId();
    const over = new AbortController();
    const deadline = setTimeout(() => over.abort(), budgetMs);
    const ask = async (): Promise<AuthorizePublishReply> =>
      readReply(
        await guardedPost({
          url: options.url,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'headwater',
            ...options.signer?.sign(id, options.clock.nowMs(), body),
          },
          body,
          signal: over.signal,
          maxReplyBytes: MAX_REPLY_BYTES,
          allowPrivate: options.allowPrivate,
          ...(options.resolve !== undefined && { resolve: options.resolve }),
        }),
      );
    try {
      return await firstOfTwo(ask, secondAfterMs);
    } catch (error) {
      return { allowed: false, code: 'unavailable', reason: reasonOf(error) };
    } finally {
      clearTimeout(deadline);
      // Ends the request that was not the first to answer.
      over.abort();
    }
  };
}
