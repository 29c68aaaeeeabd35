/**
 * Signs webhook requests as Standard Webhooks (standardwebhooks.com, specification 1.0.0) with every active secret, so
 * that a receiver may change from one to the next.
 */
import { Webhook } from 'standardwebhooks';

export interface WebhookSigner {
  /** The three headers of one request. @param sentAtMs ms since 1970 */
  sign(id: string, sentAtMs: number, body: string): Readonly<Record<string, string>>;
}

/** One line that names the setting and shows no part of the secret. */
export class WebhookSecretError extends Error {
  override readonly name = 'WebhookSecretError';
}

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/**
 * @param text one `whsec_…` secret, or two separated by a comma or a space while they are rotated
 * @param setting name of the setting for error messages
 * @throws WebhookSecretError
 */
export function createWebhookSigner(text: string, setting: string): WebhookSigner {
  const secrets = text.split(/[\s,]+/).filter((secret) => secret !== '');
  if (secrets.length < 1 || secrets.length > 2) {
    throw new WebhookSecretError(
      `${setting}: got ${secrets.length} secrets, wanted one, or two while they are rotated`,
    );
  }
  const webhooks = secrets.map((secret, index) => {
    const bytes = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64').length;
    if (bytes < 16) {
      throw new WebhookSecretError(
        `${setting}: secret ${index + 1} is not whsec_ and the base64 of at least 16 random bytes (24 to 64 are usual)`,
      );
    }
    return new Webhook(secret);
  });
  return {
    sign: (id, sentAtMs, body) => {
      const at = new Date(Math.floor(sentAtMs / 1000) * 1000);
      return {
        'webhook-id': id,
        'webhook-timestamp': String(at.getTime() / 1000),
        'webhook-signature': webhooks.map((webhook) => webhook.sign(id, at, body)).join(' '),
      };
    },
  };
}
