/**
 * The function `deliverWebhook`: takes events from the queues and brings them to the operator's webhook.
 */
import { ChangeMessageVisibilityCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as z from 'zod/mini';
import { parsePayload } from '../../contracts/schema.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings, SettingError } from '../../contracts/settings.ts';
import { createDeliverWebhook } from '../deliver_webhook.ts';
import type { BatchReply, QueuedEvent } from '../deliver_webhook.ts';
import { deliveryFromSettings } from '../events/delivery_from_settings.ts';
import type { FunctionLog } from '../function_log.ts';
import { callMetrics } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import type { CallContext } from '../create_handler.ts';

/** Lambda's event of an SQS event source mapping, as far as it is used. */
const sqsEventSchema = z.object({
  Records: z.array(
    z.object({
      messageId: z.string(),
      receiptHandle: z.string(),
      body: z.string(),
      attributes: z.object({ ApproximateReceiveCount: z.string().check(z.regex(/^[0-9]+$/)) }),
      eventSourceARN: z.string(),
    }),
  ),
});

export interface DeliverWebhookParts {
  readonly deliver: Parameters<typeof createDeliverWebhook>[0]['deliver'];
  readonly postpone: (message: QueuedEvent, seconds: number) => Promise<void>;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

/** @throws ContractError for an event that is none of SQS: the event source mapping is set up wrongly */
export function createDeliverWebhookFunction(parts: DeliverWebhookParts) {
  const deliverBatch = createDeliverWebhook(parts);
  return async (event: unknown, { awsRequestId }: CallContext): Promise<BatchReply> => {
    const startedAtMs = parts.nowMs();
    const { Records } = parsePayload(sqsEventSchema, event, 'event');
    const messages = Records.map((record) => ({
      messageId: record.messageId,
      receiptHandle: record.receiptHandle,
      body: record.body,
      attempts: Math.max(1, Number(record.attributes.ApproximateReceiveCount)),
      inOrder: record.eventSourceARN.endsWith('.fifo'),
    }));
    const reply = await deliverBatch(messages, awsRequestId);
    const nowMs = parts.nowMs();
    parts.log('info', 'answered', {
      requestId: awsRequestId,
      messages: messages.length,
      failed: reply.batchItemFailures.length,
      ...callMetrics('deliverWebhook', nowMs, nowMs - startedAtMs, false),
    });
    return reply;
  };
}

function compose(env: Environment, log: FunctionLog) {
  const settings = readSettings(SETTINGS, env);
  const deliver = deliveryFromSettings(settings, Date.now);
  if (deliver === undefined) throw new SettingError('HW_EVENT_WEBHOOK_URL: not set, wanted the URL of your webhook');
  const client = new SQSClient({ maxAttempts: 2 });
  const postpone = async (message: QueuedEvent, seconds: number) => {
    if (settings.eventQueueUrl === undefined || !message.inOrder) return;
    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: settings.eventQueueUrl,
        ReceiptHandle: message.receiptHandle,
        VisibilityTimeout: seconds,
      }),
      { abortSignal: AbortSignal.timeout(3_000) },
    );
  };
  return createDeliverWebhookFunction({ deliver, postpone, log, nowMs: Date.now });
}

export const handler = lambdaEntry(compose, process.env);
