/**
 * `hw dlq list | replay`: events that no receiver took for more than a day. In the cloud they wait in an SQS queue
 * (HW_EVENT_DLQ_ARN), on one machine in the file of events.
 */
import { existsSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings, SettingError } from '../contracts/settings.ts';
import { EventFile } from './event_file.ts';

/** The file of events in the data folder. */
export const EVENT_FILE_NAME = 'events.sqlite';

export type DlqCommand = 'list' | 'replay';

/** @returns what is printed. @throws Error in one line */
export async function runDlq(
  command: DlqCommand,
  env: Readonly<Record<string, string | undefined>>,
  makeClient: () => SQSClient = () => new SQSClient({ maxAttempts: 3 }),
): Promise<string> {
  const { eventDlqArn, dataDir } = readSettings({ eventDlqArn: SETTINGS.eventDlqArn, dataDir: SETTINGS.dataDir }, env);
  if (eventDlqArn !== undefined) return inCloud(command, eventDlqArn, makeClient());
  const path = join(resolvePath(dataDir), EVENT_FILE_NAME);
  if (!existsSync(path)) {
    throw new Error(`there is no ${path}: set HW_DATA_DIR to the folder of the running program, or HW_EVENT_DLQ_ARN`);
  }
  return onThisMachine(command, path);
}

function onThisMachine(command: DlqCommand, path: string): string {
  const file = new EventFile(path, Date.now);
  try {
    if (command === 'replay') return `${file.replay()} events are tried again`;
    const dead = file.dead();
    if (dead.length === 0) return 'the dead-letter queue is empty';
    return dead
      .map(({ event, attempts, gaveUpAtMs }) =>
        [
          event.id,
          event.type,
          event.streamId,
          event.sequence,
          `${attempts} attempts until`,
          new Date(gaveUpAtMs).toISOString(),
        ].join('  '),
      )
      .join('\n');
  } finally {
    file.close();
  }
}

async function inCloud(command: DlqCommand, arn: string, client: SQSClient): Promise<string> {
  const name = /^arn:[^:]+:sqs:[^:]+:[0-9]+:([A-Za-z0-9_.-]{1,80})$/.exec(arn)?.[1];
  if (name === undefined) throw new SettingError('HW_EVENT_DLQ_ARN: wanted arn:aws:sqs:REGION:ACCOUNT:QUEUE');
  if (command === 'replay') {
    // Back to the queue that they came from, which delivers them again.
    await client.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
    return 'the queue moves its events back to where they came from';
  }
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }));
  const reply = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
  );
  return `about ${reply.Attributes?.['ApproximateNumberOfMessages'] ?? '?'} events wait in ${name}`;
}
