/**
 * What becomes of a batch of queued events: delivered, left for later with a growing pause, or dropped as no longer
 * news. Within a batch a stream's later events wait for its earlier ones.
 */
import { ContractError } from '../contracts/contract_error.ts';
import { healthEventSchema, lifecycleEventSchema } from '../contracts/lifecycle_event.ts';
import type { HealthEvent, LifecycleEvent } from '../contracts/lifecycle_event.ts';
import { parsePayload } from '../contracts/schema.ts';
import { HEALTH_NEWS_MS, pauseAfter } from './events/event_delivery.ts';
import type { DeliverEvent } from './events/event_delivery.ts';
import type { FunctionLog } from './function_log.ts';

/** One message of SQS, as far as it matters here. */
export interface QueuedEvent {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** 1 at the first attempt. */
  readonly attempts: number;
  /** Of the FIFO queue, whose events keep their order and are never dropped. */
  readonly inOrder: boolean;
}

export interface DeliverWebhookOptions {
  readonly deliver: DeliverEvent;
  /** Keeps a message out of sight for so many seconds; then the queue offers it again. */
  readonly postpone: (message: QueuedEvent, seconds: number) => Promise<void>;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

/** The messages that the queue must offer again (Lambda, "ReportBatchItemFailures"). */
export interface BatchReply {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/** Never rejects: what fails is in the reply. */
export type DeliverBatch = (messages: readonly QueuedEvent[], requestId: string) => Promise<BatchReply>;

export function createDeliverWebhook(options: DeliverWebhookOptions): DeliverBatch {
  return async (messages, requestId) => {
    const failed: QueuedEvent[] = [];
    const blocked = new Set<string>();
    for (const message of messages) {
      const event = read(message, options.log, requestId);
      // What cannot be read goes to the dead-letter queue by itself, and at once: its stream's later events, which the
      // queue holds back until then, would wait for hours.
      if (event === undefined) {
        await comeAgainIn(0, message, options, { requestId, messageId: message.messageId });
        failed.push(message);
        continue;
      }
      if (message.inOrder && blocked.has(event.streamId)) {
        failed.push(message);
        continue;
      }
      if (await deliverOne(event, message, options, requestId)) continue;
      failed.push(message);
      if (message.inOrder) blocked.add(event.streamId);
    }
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** True: the queue may forget it. */
async function deliverOne(
  event: LifecycleEvent | HealthEvent,
  message: QueuedEvent,
  { deliver, postpone, log, nowMs }: DeliverWebhookOptions,
  requestId: string,
): Promise<boolean> {
  const fields = {
    requestId,
    eventId: event.id,
    type: event.type,
    streamId: event.streamId,
    attempts: message.attempts,
  };
  if (!message.inOrder && nowMs() - Date.parse(event.timestamp) > HEALTH_NEWS_MS) {
    log('warn', 'a health event was dropped: it is no news any more', fields);
    return true;
  }
  const result = await deliver(event);
  if (result.delivered) {
    log('info', 'event delivered', fields);
    return true;
  }
  const seconds = pauseAfter(message.attempts);
  log('warn', 'event not delivered', { ...fields, reason: result.reason, againInSeconds: seconds });
  await comeAgainIn(seconds, message, { postpone, log }, fields);
  return false;
}

async function comeAgainIn(
  seconds: number,
  message: QueuedEvent,
  { postpone, log }: Pick<DeliverWebhookOptions, 'postpone' | 'log'>,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await postpone(message, seconds);
  } catch (error) {
    // The queue then offers it again after its own time.
    log('warn', 'the pause could not be set', {
      ...fields,
      reason: error instanceof Error ? error.name : typeof error,
    });
  }
}

function read(message: QueuedEvent, log: FunctionLog, requestId: string): LifecycleEvent | HealthEvent | undefined {
  try {
    const value: unknown = JSON.parse(message.body);
    return parsePayload(message.inOrder ? lifecycleEventSchema : healthEventSchema, value, 'event');
  } catch (error) {
    const reason = error instanceof ContractError ? error.message : 'it is not JSON';
    log('error', 'a queued event cannot be read', { requestId, messageId: message.messageId, reason });
    return undefined;
  }
}
