/**
 * The function `authorizePublish`: asks the operator's webhook, or the static keys, whether a publisher may publish.
 */
import { randomBytes } from 'node:crypto';
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { authorizePublishRequestSchema } from '../../contracts/publish.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings } from '../../contracts/settings.ts';
import { createAuthorizePublish } from '../authorize_publish.ts';
import { createHandler } from '../create_handler.ts';
import type { FunctionHandler } from '../create_handler.ts';
import type { FunctionLog } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import { createPublishWebhook } from '../publish_webhook.ts';
import type { DecidePublish } from '../publish_webhook.ts';
import { parseStaticKeys } from '../static_keys.ts';
import { createSecretKeys } from '../static_keys_secret.ts';
import { createWebhookSigner } from '../webhook_signature.ts';

export interface AuthorizePublishFunctionOptions {
  readonly decide: DecidePublish;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

export function createAuthorizePublishFunction(options: AuthorizePublishFunctionOptions): FunctionHandler {
  return createHandler({
    name: 'authorizePublish',
    schema: authorizePublishRequestSchema,
    act: options.decide,
    describe: ({ app, clientAddress, transcoderId }, reply) => ({
      app,
      clientAddress,
      transcoderId,
      ...outcome(reply),
    }),
    log: options.log,
    clock: options,
  });
}

/** What of the reply may stand in a log: the grant holds relay keys. */
function outcome(reply: object): Readonly<Record<string, unknown>> {
  const { allowed, grant, code, reason } = reply as {
    readonly allowed?: boolean;
    readonly grant?: { readonly streamId: string };
    readonly code?: string;
    readonly reason?: string;
  };
  return { allowed, streamId: grant?.streamId, code, reason };
}

/** The webhook if one is set, else the static keys. @throws SettingError and its like, in one line */
export function composeAuthorizePublish(env: Environment, log: FunctionLog): FunctionHandler {
  const { authWebhookUrl, authWebhookSecret, webhookAllowPrivate, streamKeys, streamKeysSecret } = readSettings(
    SETTINGS,
    env,
  );
  const webhook =
    authWebhookUrl === undefined
      ? undefined
      : createPublishWebhook({
          url: new URL(authWebhookUrl),
          signer:
            authWebhookSecret === undefined
              ? undefined
              : createWebhookSigner(authWebhookSecret, 'HW_AUTH_WEBHOOK_SECRET'),
          allowPrivate: webhookAllowPrivate,
          clock: { nowMs: Date.now },
          makeId: () => `msg_${randomBytes(16).toString('base64url')}`,
        });
  const staticKeys = streamKeys === undefined ? undefined : parseStaticKeys(streamKeys);
  const secretKeys =
    streamKeysSecret === undefined
      ? undefined
      : createSecretKeys({
          read: readSecret(streamKeysSecret),
          clock: { monotonicMs: () => performance.now() },
          onError: (reason) => log('error', 'the stream keys cannot be read', { reason }),
        });
  return createAuthorizePublishFunction({
    decide: createAuthorizePublish({ webhook, staticKeys, secretKeys }),
    log,
    nowMs: Date.now,
  });
}

/** The text of a secret of AWS Secrets Manager; undefined: it has none yet. */
function readSecret(secretId: string): () => Promise<string | undefined> {
  const client = new SecretsManagerClient({ maxAttempts: 2 });
  return async () => {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }), {
        abortSignal: AbortSignal.timeout(2_500),
      });
      return SecretString;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
}

export const handler = lambdaEntry(composeAuthorizePublish, process.env);
