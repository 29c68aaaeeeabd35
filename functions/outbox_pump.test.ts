/** The pump against the registry in memory, and queues that fail, are slow, or see several pumps at once. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEpoch, parseSessionId, parseStreamId } from '../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent } from '../contracts/lifecycle_event.ts';
import type { EventQueue } from './events/event_queue.ts';
import { createOutboxPump } from './outbox_pump.ts';
import type { EventOutbox } from './outbox.ts';
import { createMemoryRegistry } from './registry/memory_registry.ts';

const SHOW = parseStreamId('show');
const SESSION = parseSessionId('01KAP0000000000000000000ZZ');

function setUp() {
  let nowMs = 1_760_000_000_000;
  const timers: { readonly atMs: number; readonly act: () => void }[] = [];
  const clock = {
    monotonicMs: () => nowMs,
    after: (ms: number, act: () => void) => {
      const timer = { atMs: nowMs + ms, act };
      timers.push(timer);
      return () => {
        timers.splice(timers.indexOf(timer), 1);
      };
    },
  };
  const outbox: EventOutbox = createMemoryRegistry({
    clock: { nowMs: () => nowMs },
    random: (length) => new Uint8Array(length),
  });
  let count = 0;
  return {
    clock,
    outbox,
    timers,
    advance: (ms: number) => {
      nowMs += ms;
      for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) timer.act();
    },
    append: async (streamId = SHOW) => {
      count += 1;
      const id = `evt_number${String(count).padStart(4, '0')}`;
      await outbox.append({ id, type: 'relay.failed', streamId, sessionId: SESSION, data: {} });
      return id;
    },
  };
}

/** Takes what it is given, as SQS FIFO does: once per id. */
function takingQueue() {
  const taken: LifecycleEvent[] = [];
  const health: HealthEvent[] = [];
  const queue: EventQueue = {
    send: (event) => {
      if (!taken.some(({ id }) => id === event.id)) taken.push(event);
      return Promise.resolve();
    },
    sendHealth: (event) => {
      health.push(event);
      return Promise.resolve();
    },
  };
  return { queue, taken, health };
}

const never = (_: unknown, error: unknown) => {
  throw error;
};

test('hands over in order, and each event once', async () => {
  const { clock, outbox, append, timers } = setUp();
  const { queue, taken, health } = takingQueue();
  const pump = createOutboxPump({ outbox, queue, clock, onError: never });
  const ids = [await append(), await append(), await append()];
  const epoch = parseEpoch(1);
  await outbox.notify({
    id: 'evt_health0001',
    type: 'publisher.slow',
    streamId: SHOW,
    sessionId: SESSION,
    epoch,
    data: {},
  });
  await pump.afterCall();
  await pump.afterCall();
  expect(taken.map(({ id }) => id)).toEqual(ids);
  expect(health.map(({ type }) => type)).toEqual(['publisher.slow']);
  expect(timers).toEqual([]);
  expect(await outbox.next(SHOW)).toBeUndefined();
});

test('what the queue refuses stays, is left alone for a while, and is found by the sweep', async () => {
  const { clock, outbox, append, advance } = setUp();
  const { queue, taken } = takingQueue();
  let refuses = true;
  let asked = 0;
  const errors: string[] = [];
  const pump = createOutboxPump({
    outbox,
    queue: {
      ...queue,
      send: (event) => {
        asked += 1;
        return refuses ? Promise.reject(new Error('the queue is away')) : queue.send(event);
      },
    },
    clock,
    onError: (streamId, error) => errors.push(`${streamId}: ${String(error)}`),
  });
  const first = await append();
  await pump.afterCall();
  const second = await append();
  await pump.afterCall();
  expect(asked).toBe(1);
  expect(errors).toEqual(['show: Error: the queue is away']);
  refuses = false;
  advance(31_000);
  await pump.sweep();
  expect(taken.map(({ id }) => id)).toEqual([first, second]);
  expect(await outbox.leftovers(10)).toEqual([]);
});

test('a queue that hangs does not hold the call up', async () => {
  const { clock, outbox, append, advance, timers } = setUp();
  const { queue, taken } = takingQueue();
  const gate = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  const pump = createOutboxPump({
    outbox,
    queue: { ...queue, send: (event) => gate.promise.then(() => queue.send(event)) },
    clock,
    onError: (_, error) => errors.push(error),
  });
  const id = await append();
  const call = pump.afterCall();
  await Promise.resolve();
  expect(timers).toHaveLength(1);
  advance(1_000);
  await call;
  expect(errors).toHaveLength(1);
  gate.resolve();
  advance(31_000);
  await pump.sweep();
  expect(taken.map((event) => event.id)).toEqual([id]);
});

test('without a queue the outbox is emptied', async () => {
  const { clock, outbox, append } = setUp();
  const pump = createOutboxPump({ outbox, queue: undefined, clock, onError: never });
  await append();
  await pump.afterCall();
  expect(await outbox.next(SHOW)).toBeUndefined();
});

test('a registry that is away is told of, and not thrown', async () => {
  const { clock, outbox, append } = setUp();
  const errors: unknown[] = [];
  const away = () => Promise.reject(new Error('Redis is away'));
  const pump = createOutboxPump({
    outbox: {
      ...outbox,
      takeUnsent: () => outbox.takeUnsent(),
      next: away,
      leftovers: away,
    },
    queue: takingQueue().queue,
    clock,
    onError: (_, error) => errors.push(error),
  });
  await append();
  await pump.afterCall();
  await pump.sweep();
  expect(errors).toHaveLength(2);
});

test('pumps at once, broken off anywhere: the queue takes every event for the first time in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom('append', 'pump', 'failing pump'), { minLength: 1, maxLength: 24 }),
      async (scheduler, steps) => {
        const { clock, outbox, append, advance } = setUp();
        const { queue, taken } = takingQueue();
        // Every answer comes when the scheduler says; a queue may also have taken what it is said to have refused.
        const slowOutbox: EventOutbox = {
          ...outbox,
          takeUnsent: () => [SHOW],
          next: (streamId, takenId) => scheduler.schedule(Promise.resolve()).then(() => outbox.next(streamId, takenId)),
        };
        const slowQueue = (fails: boolean): EventQueue => ({
          ...queue,
          send: async (event) => {
            await scheduler.schedule(Promise.resolve());
            await queue.send(event);
            await scheduler.schedule(Promise.resolve());
            if (fails) throw new Error('the answer was lost');
          },
        });
        const ids: string[] = [];
        const runs: Promise<void>[] = [];
        for (const step of steps) {
          if (step === 'append') ids.push(await append());
          else {
            const fails = step === 'failing pump';
            const pump = createOutboxPump({
              outbox: slowOutbox,
              queue: slowQueue(fails),
              clock,
              onError: () => undefined,
            });
            runs.push(pump.afterCall());
            await scheduler.waitNext(1);
          }
        }
        await scheduler.waitIdle();
        await Promise.all(runs);
        advance(31_000);
        await createOutboxPump({ outbox, queue, clock, onError: never }).sweep();
        expect(taken.map(({ id }) => id)).toEqual(ids);
      },
    ),
    { numRuns: 200 },
  );
});
