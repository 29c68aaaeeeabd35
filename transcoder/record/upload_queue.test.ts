import { beforeEach, describe, expect, it } from 'vitest';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { FakeClock } from '../stream/testing/fake_clock.ts';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { ScriptedStore } from './testing/scripted_store.ts';
import type { QueuedUpload, SpilledBody, Upload } from './upload.ts';
import { UploadQueue } from './upload_queue.ts';

const origin = {
  kind: 'description',
  streamId: 'show' as StreamId,
  sessionId: '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId,
} as const;

let clock: FakeClock;
let store: ScriptedStore;
let onDisk: Map<string, Buffer>;
let diskIsFull: boolean;

function queueOf(options: { readonly maxMemoryBytes?: number; readonly random?: () => number } = {}): UploadQueue {
  return new UploadQueue({
    store,
    spill: async (item: QueuedUpload): Promise<SpilledBody> => {
      if (diskIsFull) throw new Error('ENOSPC');
      const { key } = item.upload;
      const body = Buffer.concat(await item.read());
      onDisk.set(key, body);
      return {
        bytes: body.length,
        read: async () => onDisk.get(key) ?? Promise.reject(new Error('gone')),
        remove: async () => {
          onDisk.delete(key);
        },
      };
    },
    clock,
    random: options.random ?? (() => 0.5),
    logger: silentLogger,
    maxMemoryBytes: options.maxMemoryBytes ?? 1000,
  });
}

function upload(key: string, bytes = 10, more: Partial<Upload> = {}): Upload {
  const options = { contentType: 'video/mp4', cacheControl: 'no-cache' };
  return { key, body: [Buffer.alloc(bytes, key)], bytes, options, origin, ...more };
}

beforeEach(() => {
  clock = new FakeClock();
  store = new ScriptedStore();
  onDisk = new Map();
  diskIsFull = false;
});

describe('with a store that is well', () => {
  it('stores in the order of arrival, urgent ones before what waits, and only so many at once', async () => {
    const queue = queueOf();
    store.script = () => 'hang';
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) queue.add(upload(key));
    queue.add(upload('tail', 10, { urgent: true }));
    await clock.pass(0);
    expect(store.attempts).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    store.release();
    await clock.pass(0);
    expect(store.attempts.slice(6)).toEqual(['tail', 'g', 'h']);
    store.release();
    await clock.pass(0);
    expect(queue.memoryBytes).toBe(0);
    expect(queue.counters).toMatchObject({ stored: 9, lost: 0, failures: 0, spilled: 0 });
  });

  it('keeps what needs another one back until that is stored', async () => {
    const queue = queueOf();
    store.script = (key) => (key === 'session.json' ? 'fail' : 'ok');
    const session = queue.add(upload('session.json'));
    queue.add(upload('1.m4s', 10, { needs: session }));
    queue.add(upload('other'));
    await clock.pass(20_000);
    expect(store.keys()).toEqual(['other']);
    store.script = () => 'ok';
    await clock.pass(10_000);
    expect(store.keys()).toEqual(['1.m4s', 'other', 'session.json']);
  });
});

describe('with a store that fails', () => {
  it('tries one at a time, with pauses that grow and differ', async () => {
    const queue = queueOf();
    store.script = () => 'fail';
    for (let index = 0; index < 20; index += 1) queue.add(upload(`${index}`));
    await clock.pass(60_000);
    const before = store.attempts.length;
    expect(before).toBeLessThan(40);
    await clock.pass(60_000);
    // Not more often than every half of the longest pause.
    expect(store.attempts.length - before).toBeLessThanOrEqual(60 / 2.5);
    expect(store.attempts.length - before).toBeGreaterThanOrEqual(60 / 5);
    expect(queue.failure).toContain('SlowDown');
  });

  it('loses nothing when the store is away for five minutes, and memory stays in its bound', async () => {
    const queue = queueOf({ maxMemoryBytes: 1000 });
    store.script = () => 'fail';
    const items: QueuedUpload[] = [];
    let most = 0;
    for (let second = 0; second < 300; second += 2) {
      items.push(queue.add(upload(`${second}.m4s`, 60)));
      most = Math.max(most, queue.memoryBytes);
      await clock.pass(2000);
    }
    expect(most).toBeLessThanOrEqual(1000);
    expect(queue.memoryBytes).toBeLessThanOrEqual(400);
    expect(onDisk.size).toBeGreaterThan(140);
    store.script = () => 'ok';
    await clock.pass(10_000);
    expect(items.map(({ outcome }) => outcome)).toEqual(items.map(() => 'stored'));
    expect(store.keys()).toHaveLength(150);
    for (const { body } of store.objects.values()) expect(body).toHaveLength(60);
    expect(onDisk.size).toBe(0);
    expect(queue.waiting).toBe(0);
  });

  it('one object that never succeeds holds nothing else up', async () => {
    const queue = queueOf();
    store.script = (key) => (key === 'poison' ? 'fail' : 'ok');
    queue.add(upload('poison'));
    for (let index = 0; index < 30; index += 1) {
      queue.add(upload(`${index}`));
      await clock.pass(2000);
    }
    await clock.pass(5000);
    expect(store.keys()).toHaveLength(30);
  });

  it('loses what has room neither in memory nor on disk, and says so', async () => {
    const queue = queueOf({ maxMemoryBytes: 100 });
    store.script = () => 'fail';
    diskIsFull = true;
    const items = Array.from({ length: 8 }, (_, index) => queue.add(upload(`${index}.m4s`, 30)));
    expect(items.map(({ outcome }) => outcome ?? 'waits')).toEqual([
      'waits',
      'waits',
      'waits',
      ...Array.from({ length: 5 }, () => 'lost'),
    ]);
    const tail = queue.add(upload('tail', 30, { essential: true, urgent: true }));
    expect(tail.outcome).toBeUndefined();
    await clock.pass(60_000);
    expect(queue.counters).toMatchObject({ lost: 5, lostBytes: 150, spilled: 0 });
    store.script = () => 'ok';
    await clock.pass(10_000);
    expect(store.keys()).toEqual(['0.m4s', '1.m4s', '2.m4s', 'tail']);
  });

  it('goes to disk when the store hangs, without a failure ever being seen', async () => {
    const queue = queueOf();
    store.script = () => 'hang';
    for (let second = 0; second < 40; second += 2) {
      queue.add(upload(`${second}.m4s`, 60));
      await clock.pass(2000);
    }
    expect(queue.counters.lost).toBe(0);
    expect(onDisk.size).toBeGreaterThan(5);
    expect(queue.memoryBytes).toBeLessThanOrEqual(6 * 60 + 6 * 60);
  });

  it('what is gone from the disk is lost, not retried for ever', async () => {
    const queue = queueOf();
    store.script = () => 'fail';
    const item = queue.add(upload('1.m4s'));
    queue.add(upload('2.m4s'));
    await clock.pass(30_000);
    onDisk.delete('1.m4s');
    store.script = () => 'ok';
    await clock.pass(10_000);
    expect(item.outcome).toBe('lost');
    expect(store.keys()).toEqual(['2.m4s']);
    expect(queue.waiting).toBe(0);
  });

  it('what needs something that is lost is lost with it, and nobody waits for it', async () => {
    const queue = queueOf();
    store.script = () => 'fail';
    const init = queue.add(upload('init.mp4'));
    const segment = queue.add(upload('1.m4s', 10, { needs: init }));
    const tail = queue.add(upload('tail', 10, { needs: segment, urgent: true, essential: true }));
    await clock.pass(30_000);
    onDisk.delete('init.mp4');
    store.script = () => 'ok';
    await clock.pass(10_000);
    const later = queue.add(upload('2.m4s', 10, { needs: init }));
    expect([init, segment, tail, later].map(({ outcome }) => outcome)).toEqual(['lost', 'lost', 'lost', 'lost']);
    expect([queue.waiting, queue.memoryBytes, onDisk.size]).toEqual([0, 0, 0]);
  });
});

describe('at the end of the program', () => {
  it('puts on disk what a later run can finish', async () => {
    const queue = queueOf();
    store.script = () => 'hang';
    for (let index = 0; index < 8; index += 1) queue.add(upload(`${index}.m4s`));
    queue.add({ key: 'tail', body: [Buffer.from('x')], bytes: 1, urgent: true, options: upload('x').options });
    await queue.close();
    expect([...onDisk.keys()].toSorted()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'].map((key) => `${key}.m4s`));
    store.release();
    await clock.pass(20_000);
    expect([...onDisk.keys()].toSorted()).toEqual(['6.m4s', '7.m4s']);
  });

  it('is at its end for all who ask only once everything is on disk', async () => {
    const queue = queueOf();
    store.script = () => 'hang';
    for (let index = 0; index < 8; index += 1) queue.add(upload(`${index}.m4s`));
    const first = queue.close();
    await queue.close();
    expect(onDisk.size).toBe(8);
    await first;
  });
});
