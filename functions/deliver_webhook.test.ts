import { expect, test } from 'vitest';
import { parseSessionId, parseStreamId } from '../contracts/ids.ts';
import type { LifecycleEvent } from '../contracts/lifecycle_event.ts';
import { createDeliverWebhookFunction } from './handlers/deliver_webhook.ts';

const FIFO = 'arn:aws:sqs:eu-west-1:1:headwater-events.fifo';
const HEALTH = 'arn:aws:sqs:eu-west-1:1:headwater-health';
const NOW = Date.parse('2026-11-22T20:00:00Z');

function event(stream: string, sequence: number): LifecycleEvent {
  return {
    id: `evt_${stream}-00000${sequence}`,
    type: 'stream.live',
    streamId: parseStreamId(stream),
    sessionId: parseSessionId('01J5Z3NDEKTSV4RRFFQ69G5FAV'),
    sequence,
    timestamp: new Date(NOW).toISOString(),
    data: {},
  };
}

const record = (body: unknown, attempts = 1, eventSourceARN = FIFO) => ({
  messageId: `m-${JSON.stringify(body).length}-${(body as { id?: string }).id}`,
  receiptHandle: 'handle',
  body: typeof body === 'string' ? body : JSON.stringify(body),
  attributes: { ApproximateReceiveCount: String(attempts) },
  eventSourceARN,
});

function start(refused: ReadonlySet<string> = new Set()) {
  const delivered: string[] = [];
  const postponed: [string, number][] = [];
  const call = createDeliverWebhookFunction({
    deliver: async ({ id }) => {
      if (refused.has(id)) return { delivered: false, reason: 'the webhook answered 503' };
      delivered.push(id);
      return { delivered: true };
    },
    postpone: async ({ messageId }, seconds) => {
      postponed.push([messageId, seconds]);
    },
    log: () => undefined,
    nowMs: () => NOW,
  });
  return { delivered, postponed, call: (...Records: object[]) => call({ Records }, { awsRequestId: 'r' }) };
}

test('what was delivered is forgotten; what was not comes again later and later', async () => {
  const { call, delivered, postponed } = start(new Set([event('a', 1).id]));
  const first = record(event('a', 1), 3);
  expect(await call(first, record(event('b', 1)))).toEqual({
    batchItemFailures: [{ itemIdentifier: first.messageId }],
  });
  expect(delivered).toEqual([event('b', 1).id]);
  expect(postponed).toEqual([[first.messageId, 20]]);
});

test('a later event of the same stream waits for an earlier one', async () => {
  const { call, delivered } = start(new Set([event('a', 1).id]));
  const reply = await call(record(event('a', 1)), record(event('a', 2)), record(event('b', 7)));
  expect(reply.batchItemFailures).toHaveLength(2);
  expect(delivered).toEqual([event('b', 7).id]);
});

test('a body that is no event fails alone, is not sent, and uses its attempts up without a pause', async () => {
  const { call, delivered, postponed } = start();
  const reply = await call(record('{'), record({ ...event('a', 1), streamId: '../x' }), record(event('a', 2)));
  expect(reply.batchItemFailures).toHaveLength(2);
  expect(postponed.map(([, seconds]) => seconds)).toEqual([0, 0]);
  expect(delivered).toEqual([event('a', 2).id]);
});

test('an old health event is dropped', async () => {
  const { call, delivered } = start();
  const { sequence: _, ...common } = event('a', 1);
  const old = { ...common, type: 'encoder.restarted', timestamp: new Date(NOW - 301_000).toISOString() };
  expect(await call(record(old, 1, HEALTH))).toEqual({ batchItemFailures: [] });
  expect(delivered).toEqual([]);
});

test('an event that is none of SQS names the field', async () => {
  const { call } = start();
  await expect(call({ messageId: 1 })).rejects.toThrow(/event\.Records\[0\]\.messageId/);
});
