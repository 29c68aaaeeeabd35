/**
 * Tells the control plane what happens to one stream beside its ownership. Nobody waits for it: a notification that
 * cannot be delivered is logged.
 */
import { randomUUID } from 'node:crypto';
import type { Notification } from '../../contracts/lifecycle_event.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';
import type { LiveStream } from './live_stream.ts';

/** @param data facts without secrets */
export type NotifyStream = (type: Notification['type'], data: Notification['data']) => void;

/** @param stream asked when there is something to say: the epoch is the one that it has then */
export function createStreamNotifier(
  { control, logger }: { readonly control: Pick<Control, 'notify'>; readonly logger: Logger },
  stream: () => LiveStream,
): NotifyStream {
  return (type, data) => {
    const { streamId, sessionId, epoch } = stream();
    const id = `evt_${randomUUID()}`;
    control.notify({ id, type, streamId, sessionId, epoch, data }).catch((error: unknown) => {
      logger.warn({ streamId, type, err: error }, 'nobody was told');
    });
  };
}
