/**
 * The events of a machine without SQS: their file, and who brings them to the operator's webhook.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { deliveryFromSettings } from '../functions/events/delivery_from_settings.ts';
import type { EventWebhookSettings } from '../functions/events/delivery_from_settings.ts';
import type { EventQueue } from '../functions/events/event_queue.ts';
import { createSqsEventQueue } from '../functions/events/sqs_event_queue.ts';
import { EventDeliverer } from './event_deliverer.ts';
import type { EventDelivererOptions } from './event_deliverer.ts';
import { EventFile } from './event_file.ts';
import { EVENT_FILE_NAME } from './hw_dlq.ts';

export interface LocalEventSettings extends EventWebhookSettings {
  readonly dataDir: string;
  readonly eventQueueUrl: string | undefined;
  readonly healthQueueUrl: string | undefined;
}

export interface LocalEvents {
  /** Undefined: nobody wants to be told. */
  readonly queue: EventQueue | undefined;
  /** Waits for the deliveries under way; what is left is delivered after the next start. */
  close(): Promise<void>;
}

/** @throws Error in one line: a bad secret, a file that cannot be opened */
export async function openLocalEvents(
  settings: LocalEventSettings,
  log: EventDelivererOptions['log'],
): Promise<LocalEvents> {
  const { eventQueueUrl, healthQueueUrl, dataDir } = settings;
  if (eventQueueUrl !== undefined) {
    return { queue: createSqsEventQueue({ eventQueueUrl, healthQueueUrl }), close: () => Promise.resolve() };
  }
  const deliver = deliveryFromSettings(settings, Date.now);
  if (deliver === undefined) return { queue: undefined, close: () => Promise.resolve() };
  const folder = resolvePath(dataDir);
  await mkdir(folder, { recursive: true });
  const file = new EventFile(join(folder, EVENT_FILE_NAME), Date.now);
  const deliverer = new EventDeliverer({ file, deliver, log, nowMs: Date.now });
  return {
    queue: file,
    close: async () => {
      await deliverer.close();
      file.close();
    },
  };
}
