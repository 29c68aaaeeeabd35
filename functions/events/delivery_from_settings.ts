/**
 * The delivery of events as the settings describe it.
 */
import { createWebhookSigner } from '../webhook_signature.ts';
import { createEventDelivery } from './event_delivery.ts';
import type { DeliverEvent } from './event_delivery.ts';

export interface EventWebhookSettings {
  readonly eventWebhookUrl: string | undefined;
  readonly eventWebhookSecret: string | undefined;
  readonly webhookAllowPrivate: boolean;
}

/** Undefined: nobody wants to be told. @throws WebhookSecretError in one line */
export function deliveryFromSettings(settings: EventWebhookSettings, nowMs: () => number): DeliverEvent | undefined {
  const { eventWebhookUrl, eventWebhookSecret, webhookAllowPrivate } = settings;
  if (eventWebhookUrl === undefined) return undefined;
  return createEventDelivery({
    url: new URL(eventWebhookUrl),
    signer:
      eventWebhookSecret === undefined ? undefined : createWebhookSigner(eventWebhookSecret, 'HW_EVENT_WEBHOOK_SECRET'),
    allowPrivate: webhookAllowPrivate,
    clock: { nowMs },
  });
}
