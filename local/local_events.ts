/**
 * The events of a machine without SQS: their file, and who brings them to the operator's webhook.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { SettingError } from '../contracts/settings.ts';
import { deliveryFromSettings } from '../functions/events/delivery_from_settings.ts';
import type { EventWebhookSettings } from '../functions/events/delivery_from_settings.ts';
import type { EventQueue } from '../functions/events/event_queue.ts';
import { createSqsEventQueue } from '../functions/events/sqs_event_queue.ts';
import { EventDeliverer } from './event_deliverer.ts';
import type { EventDelivererOptions } from './event_deliverer.ts';
import { EventFile } from './event_file.ts';
import { EVENT_FILE_NAME } from './hw_dlq.ts';
import { endLeftSessions } from './left_sessions.ts';

export interface LocalEventSettings extends EventWebhookSettings {
  readonly dataDir: string;
  readonly eventQueueUrl: string | undefined;
  readonly healthQueueUrl: string | undefined;
}

export interface LocalEvents {
  /** Undefined: nobody wants to be told. */
  readonly queue: EventQueue | undefined;
  /** For a program whose registry is in its own memory: tells of the end of sessions that a run before was killed over. */
  endLeftSessions(): Promise<void>;
  /** Waits for the deliveries under way; what is left is delivered after the next start. */
  close(): Promise<void>;
}

/** What leaves nothing on this machine. */
const NOTHING_KEPT = { endLeftSessions: () => Promise.resolve(), close: () => Promise.resolve() };

/** @throws Error in one line: a bad secret, a file that cannot be opened */
export async function openLocalEvents(
  settings: LocalEventSettings,
  log: EventDelivererOptions['log'],
): Promise<LocalEvents> {
  const { eventQueueUrl, healthQueueUrl, dataDir } = settings;
  if (eventQueueUrl !== undefined) {
    return { ...NOTHING_KEPT, queue: createSqsEventQueue({ eventQueueUrl, healthQueueUrl }) };
  }
  const deliver = deliveryFromSettings(settings, Date.now);
  if (deliver === undefined) return { ...NOTHING_KEPT, queue: undefined };
  const file = await openFile(join(resolvePath(dataDir), EVENT_FILE_NAME));
  const deliverer = new EventDeliverer({ file, deliver, log, nowMs: Date.now });
  return {
    queue: file,
    endLeftSessions: () => endLeftSessions(file, Date.now()),
    close: async () => {
      await deliverer.close();
      file.close();
    },
  };
}

/** @throws SettingError */
async function openFile(path: string): Promise<EventFile> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return new EventFile(path, Date.now);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SettingError(`HW_DATA_DIR: ${path} cannot be used for events (${why})`, { cause });
  }
}
