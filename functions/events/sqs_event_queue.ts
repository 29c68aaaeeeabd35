/**
 * Events on their way through SQS: session events in a FIFO queue, one group per stream, deduplicated by event id; health
 * events in a standard queue whose messages expire.
 */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { EventQueue } from './event_queue.ts';

export interface SqsEventQueueOptions {
  /** Ends in `.fifo`. */
  readonly eventQueueUrl: string;
  /** Health events are dropped without it. */
  readonly healthQueueUrl: string | undefined;
  /** Region and credentials come from the environment unless given. */
  readonly client?: SQSClient;
}

export function createSqsEventQueue(options: SqsEventQueueOptions): EventQueue {
  const { eventQueueUrl, healthQueueUrl } = options;
  const client = options.client ?? new SQSClient({ maxAttempts: 3 });
  return {
    send: async (event) => {
      await client.send(
        new SendMessageCommand({
          QueueUrl: eventQueueUrl,
          MessageBody: JSON.stringify(event),
          MessageGroupId: event.streamId,
          MessageDeduplicationId: event.id,
        }),
        { abortSignal: AbortSignal.timeout(3_000) },
      );
    },
    sendHealth: async (event) => {
      if (healthQueueUrl === undefined) return;
      await client.send(new SendMessageCommand({ QueueUrl: healthQueueUrl, MessageBody: JSON.stringify(event) }), {
        abortSignal: AbortSignal.timeout(3_000),
      });
    },
  };
}
