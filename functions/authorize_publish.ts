/**
 * May the holder of this stream key publish, and as which stream? The operator's webhook decides if there is one, else
 * the static keys. What cannot be decided in time is refused.
 */
import type { AuthorizePublishReply, AuthorizePublishRequest } from '../contracts/publish.ts';
import type { DecidePublish } from './publish_webhook.ts';
import type { StaticKeys } from './static_keys.ts';
import type { SecretKeys } from './static_keys_secret.ts';

export interface AuthorizePublishOptions {
  readonly staticKeys?: StaticKeys | undefined;
  /** Further keys, which may change while the function runs; rejects when they cannot be read. */
  readonly secretKeys?: SecretKeys | undefined;
  /** Decides alone when it is given. */
  readonly webhook?: DecidePublish | undefined;
  /** An answer is given within this time, ms. */
  readonly limitMs?: number;
}

const LIMIT_MS = 4_900;

async function decide(
  options: AuthorizePublishOptions,
  request: AuthorizePublishRequest,
): Promise<AuthorizePublishReply> {
  if (options.webhook !== undefined) return options.webhook(request);
  const { staticKeys, secretKeys } = options;
  if (secretKeys === undefined && (staticKeys === undefined || staticKeys.size === 0)) {
    return { allowed: false, code: 'denied', reason: 'no stream keys and no webhook are configured' };
  }
  const streamId = staticKeys?.find(request.streamKey) ?? (await secretKeys?.find(request.streamKey));
  if (streamId === undefined) return { allowed: false, code: 'denied', reason: 'the stream key is not known' };
  return { allowed: true, grant: { streamId } };
}

/** The returned function never rejects. */
export function createAuthorizePublish(options: AuthorizePublishOptions): DecidePublish {
  return async (request) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<AuthorizePublishReply>((resolve) => {
      timer = setTimeout(
        () => resolve({ allowed: false, code: 'unavailable', reason: 'nobody decided in time' }),
        options.limitMs ?? LIMIT_MS,
      );
    });
    try {
      return await Promise.race([decide(options, request), late]);
    } catch (error) {
      // Its message is not shown: it may quote what was being decided.
      const name = error instanceof Error ? error.name : typeof error;
      return { allowed: false, code: 'unavailable', reason: `the decision failed (${name})` };
    } finally {
      clearTimeout(timer);
    }
  };
}
