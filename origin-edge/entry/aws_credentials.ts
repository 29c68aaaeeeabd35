/**
 * The credentials of requests to S3: from the environment, or from the endpoint that ECS gives a task (AWS SDKs and
 * Tools Reference Guide, "Container credential provider"), asked again before they expire.
 */
import * as z from 'zod/mini';
import { parsePayload } from '../../contracts/schema.ts';
import type { AwsCredentials } from '../src/recording/s3_source.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const containerReplySchema = z.object({
  AccessKeyId: z.string(),
  SecretAccessKey: z.string(),
  Token: z.optional(z.string()),
  Expiration: z.optional(z.string()),
});

const ECS_ENDPOINT = 'http://169.254.170.2';
const TIMEOUT_MS = 2000;
/** New ones are asked for this long before the old ones end. */
const RENEW_BEFORE_MS = 300_000;
const DEFAULT_LIFETIME_MS = 900_000;

/**
 * @param wallMs Unix time, ms
 * @returns what gives them for a request; it rejects when there are none, or when the endpoint does not answer
 */
export function awsCredentials(env: Environment, wallMs: () => number): () => Promise<AwsCredentials> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const fixed = { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN };
    return async () => Promise.resolve(fixed);
  }
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = env;
  const url = relative === undefined ? full : `${ECS_ENDPOINT}${relative}`;
  // No reason not to start: live needs no store.
  if (url === undefined)
    return async () => Promise.reject(new Error('there are no AWS credentials in the environment'));
  return renewing(async () => askContainer(url, env.AWS_CONTAINER_AUTHORIZATION_TOKEN), wallMs);
}

interface Dated {
  readonly credentials: AwsCredentials;
  readonly renewAtMs: number;
}

function renewing(
  ask: () => Promise<Omit<Dated, 'renewAtMs'> & { readonly expiresAtMs: number | undefined }>,
  wallMs: () => number,
) {
  let current: Dated | undefined;
  let asking: Promise<Dated> | undefined;
  const renew = async (): Promise<Dated> => {
    const { credentials, expiresAtMs } = await ask();
    current = { credentials, renewAtMs: (expiresAtMs ?? wallMs() + DEFAULT_LIFETIME_MS) - RENEW_BEFORE_MS };
    return current;
  };
  return async (): Promise<AwsCredentials> => {
    if (current !== undefined && wallMs() < current.renewAtMs) return current.credentials;
    asking ??= renew().finally(() => (asking = undefined));
    const before = current;
    // The old ones are good for minutes yet: an endpoint that does not answer now may answer next time.
    if (before !== undefined && wallMs() < before.renewAtMs + RENEW_BEFORE_MS) {
      return asking.then(
        (now) => now.credentials,
        () => before.credentials,
      );
    }
    return (await asking).credentials;
  };
}

async function askContainer(url: string, token: string | undefined) {
  const response = await fetch(url, {
    headers: token === undefined ? {} : { authorization: token },
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the container's credential endpoint answered ${response.status}`);
  }
  const reply = parsePayload(containerReplySchema, await response.json(), 'credentials');
  const expiresAtMs = reply.Expiration === undefined ? undefined : Date.parse(reply.Expiration);
  return {
    credentials: {
      accessKeyId: reply.AccessKeyId,
      secretAccessKey: reply.SecretAccessKey,
      sessionToken: reply.Token,
    },
    expiresAtMs,
  };
}
