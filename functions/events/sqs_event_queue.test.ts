import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { createSqsEventQueue } from './sqs_event_queue.ts';

const EVENT: LifecycleEvent = {
  id: 'evt_01J5Z3NDEKTSV4RRFFQ69G5FAV-1',
  type: 'stream.ended',
  streamId: parseStreamId('demo'),
  sessionId: parseSessionId('01J5Z3NDEKTSV4RRFFQ69G5FAV'),
  sequence: 9,
  timestamp: '2026-11-22T20:00:00.000Z',
  data: { reason: 'the publisher said goodbye' },
};

test('the AWS client sends one group per stream, deduplicated by the event; a refusal is the caller\u2019s to know', async () => {
  const calls: Record<string, unknown>[] = [];
  let refuse = false;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const call = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8')) as Record<string, unknown>;
    calls.push(call);
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    if (refuse) {
      response.writeHead(400).end(JSON.stringify({ __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'gone' }));
      return;
    }
    const md5 = createHash('md5').update(String(call['MessageBody'])).digest('hex');
    response.end(JSON.stringify({ MessageId: 'm', MD5OfMessageBody: md5 }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new SQSClient({
    region: 'eu-west-1',
    endpoint: base,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  const queue = createSqsEventQueue({
    eventQueueUrl: `${base}/1/headwater-events.fifo`,
    healthQueueUrl: `${base}/1/headwater-health`,
    client,
  });
  await queue.send(EVENT);
  const { sequence: _, ...common } = EVENT;
  await queue.sendHealth({ ...common, type: 'publisher.slow' });
  expect(calls).toEqual([
    {
      QueueUrl: `${base}/1/headwater-events.fifo`,
      MessageBody: JSON.stringify(EVENT),
      MessageGroupId: 'demo',
      MessageDeduplicationId: EVENT.id,
    },
    { QueueUrl: `${base}/1/headwater-health`, MessageBody: JSON.stringify({ ...common, type: 'publisher.slow' }) },
  ]);
  refuse = true;
  await expect(queue.send(EVENT)).rejects.toThrow('gone');
  client.destroy();
  server.close();
});
