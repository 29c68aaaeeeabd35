/**
 * The events of one machine, from the queue's file to a receiver: the real file, the real delivery, and for the passing
 * of hours a clock that the test moves.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseSessionId, parseStreamId } from '../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent } from '../contracts/lifecycle_event.ts';
import { createEventDelivery, MAX_ATTEMPTS, pauseAfter } from '../functions/events/event_delivery.ts';
import type { DeliverEvent } from '../functions/events/event_delivery.ts';
import { createWebhookSigner } from '../functions/webhook_signature.ts';
import { EventDeliverer } from './event_deliverer.ts';
import { EventFile } from './event_file.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const SESSION = parseSessionId('01J5Z3NDEKTSV4RRFFQ69G5FAV');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-events-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

function event(stream: string, sequence: number): LifecycleEvent {
  return {
    id: `evt_${stream}-00000${sequence}`,
    type: 'stream.live',
    streamId: parseStreamId(stream),
    sessionId: SESSION,
    sequence,
    timestamp: new Date(sequence).toISOString(),
    data: {},
  };
}

function openFile(nowMs: () => number = Date.now): EventFile {
  return new EventFile(join(folder, 'events.sqlite'), nowMs);
}

const quiet = () => undefined;

test('what a receiver gets is signed, once each, in the order of its stream', async () => {
  const got: LifecycleEvent[] = [];
  const all = Promise.withResolvers<void>();
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const body = Buffer.concat(await request.toArray()).toString('utf8');
    got.push(new Webhook(SECRET).verify(body, request.headers as Record<string, string>) as LifecycleEvent);
    response.writeHead(204).end();
    if (got.length === 4) all.resolve();
  };
  const receiver = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const file = openFile();
  const deliver = createEventDelivery({
    url: new URL(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`),
    signer: createWebhookSigner(SECRET, 'HW_EVENT_WEBHOOK_SECRET'),
    allowPrivate: true,
    clock: { nowMs: Date.now },
  });
  const deliverer = new EventDeliverer({ file, deliver, log: quiet, nowMs: Date.now });
  for (const next of [event('a', 1), event('b', 1), event('a', 1), event('a', 2), event('a', 3)]) await file.send(next);
  await all.promise;
  await deliverer.close();
  expect(got.filter(({ streamId }) => streamId === 'a').map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  expect(got).toHaveLength(4);
  expect(file.heads()).toEqual([]);
  file.close();
  receiver.close();
});

test('a receiver that is away for an hour, and a restart meanwhile: every event arrives later, in order', async () => {
  vi.useFakeTimers();
  const downUntil = Date.now() + 3_600_000;
  const got: LifecycleEvent[] = [];
  const deliver: DeliverEvent = async (next) => {
    if (Date.now() < downUntil) return { delivered: false, reason: 'the webhook answered 503' };
    got.push(next as LifecycleEvent);
    return { delivered: true };
  };
  const runFor = async (run: number, ms: number) => {
    const file = openFile(Date.now);
    const deliverer = new EventDeliverer({ file, deliver, log: quiet, nowMs: Date.now });
    for (let sequence = 1; sequence <= 20; sequence += 1) await file.send(event('a', 20 * run + sequence));
    await file.send(event(`other-${run}`, 1));
    await vi.advanceTimersByTimeAsync(ms);
    await deliverer.close();
    file.close();
  };
  await runFor(0, 1_800_000);
  expect(got).toEqual([]);
  await runFor(1, 5_400_000);
  expect(got.filter(({ streamId }) => streamId === 'a').map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  expect(got).toHaveLength(42);
});

test('an event is tried for more than a day, then waits to be replayed while the next ones go out', async () => {
  let total = 0;
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt += 1) total += pauseAfter(attempt);
  expect(total).toBeGreaterThan(24 * 3600);
  vi.useFakeTimers();
  const file = openFile(Date.now);
  const got: string[] = [];
  let poisoned = true;
  const deliver: DeliverEvent = async ({ id }) => {
    if (poisoned && id === event('a', 1).id) return { delivered: false, reason: 'the webhook answered 500' };
    got.push(id);
    return { delivered: true };
  };
  const deliverer = new EventDeliverer({ file, deliver, log: quiet, nowMs: Date.now });
  await file.send(event('a', 1));
  await file.send(event('a', 2));
  await vi.advanceTimersByTimeAsync(total * 1000 + 120_000);
  expect(got).toEqual([event('a', 2).id]);
  expect(file.dead().map(({ event: { id }, attempts }) => [id, attempts])).toEqual([[event('a', 1).id, MAX_ATTEMPTS]]);
  poisoned = false;
  const other = openFile(Date.now);
  expect(other.replay()).toBe(1);
  other.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(got).toEqual([event('a', 2).id, event('a', 1).id]);
  await deliverer.close();
  file.close();
});

test('a health event that is no news any more is dropped', async () => {
  vi.useFakeTimers();
  const file = openFile(Date.now);
  let attempts = 0;
  const deliver: DeliverEvent = async () => {
    attempts += 1;
    return { delivered: false, reason: 'the webhook answered 503' };
  };
  const deliverer = new EventDeliverer({ file, deliver, log: quiet, nowMs: Date.now });
  const { sequence: _, ...common } = event('a', Date.now());
  const health: HealthEvent = { ...common, type: 'encoder.restarted' };
  await file.sendHealth(health);
  await vi.advanceTimersByTimeAsync(900_000);
  expect(file.heads()).toEqual([]);
  expect(file.dead()).toEqual([]);
  expect(attempts).toBeLessThan(9);
  await deliverer.close();
  file.close();
});

test('a disk that takes nothing for a while ends no program and loses no event', async () => {
  vi.useFakeTimers();
  const file = openFile(Date.now);
  await file.send(event('a', 1));
  await file.send(event('a', 2));
  const full = () => {
    throw new Error('database or disk is full');
  };
  const writes = vi.spyOn(file, 'delivered').mockImplementation(full);
  const reads = vi.spyOn(file, 'heads');
  const got: number[] = [];
  const deliver: DeliverEvent = async (next) => {
    got.push((next as LifecycleEvent).sequence);
    return { delivered: true };
  };
  const warnings: unknown[] = [];
  const log = (level: string, _message: string, { reason }: Readonly<Record<string, unknown>>) => {
    if (level === 'warn') warnings.push(reason);
  };
  const deliverer = new EventDeliverer({ file, deliver, log, nowMs: Date.now });
  await vi.advanceTimersByTimeAsync(100);
  // Tried again after a pause, not in a loop.
  expect(got).toEqual([1]);
  expect(warnings).toEqual(['database or disk is full']);
  reads.mockImplementation(full);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(new Set(got)).toEqual(new Set([1]));
  writes.mockRestore();
  reads.mockRestore();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(got.slice(-2)).toEqual([1, 2]);
  expect(file.heads()).toEqual([]);
  await deliverer.close();
  file.close();
});
