/** The function `registry` with its pump: an answer leaves with its events handed over, and without them if need be. */
import { expect, test } from 'vitest';
import { heartbeatReplySchema } from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';
import type { LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { createControlPlane } from '../control_plane.ts';
import type { EventQueue } from '../events/event_queue.ts';
import { createMemoryRegistry } from '../registry/memory_registry.ts';
import { createRegistryFunction } from './registry.ts';

const SHAPE = {
  renditions: [{ name: '360p', codecs: 'avc1.4d401e', bandwidth: 1_000_000, averageBandwidth: 900_000 }],
  targetDuration: 2,
  partTarget: 0.5,
};
const ADDRESS = { private: 'http://10.0.0.1:8000' };

function setUp(send: EventQueue['send']) {
  const lines: string[] = [];
  const log = (_: unknown, message: string, fields: object) => void lines.push(JSON.stringify({ message, ...fields }));
  const registry = createMemoryRegistry({
    clock: { nowMs: () => 1_760_000_000_000 },
    random: (length) => new Uint8Array(length),
  });
  const { pump, announceVod, pumped } = createControlPlane({
    registry,
    queue: { send, sendHealth: () => Promise.resolve() },
    log,
  });
  const call = createRegistryFunction({ registry, pump, log, nowMs: () => 1_760_000_000_000 });
  let seq = 0;
  return {
    lines,
    announceVod,
    pumped,
    call: (payload: object) => call(payload, { awsRequestId: 'r1' }),
    heartbeat: (grant: object, more: object = {}) => {
      seq += 1;
      const report = {
        streamId: 'show',
        state: 'live',
        nextMsn: 1,
        discontinuitySequence: 0,
        programDateTimeEndMs: 0,
        playback: 'public',
        record: 'all',
        mediaAgeMs: 0,
        ...grant,
        ...more,
      };
      const capacity = { streams: 1, maxStreams: 2, ready: true, draining: false };
      const request = { serverId: 'a', seq, address: ADDRESS, capacity, streams: [report] };
      return call({ operation: 'heartbeat', request }, { awsRequestId: 'r2' });
    },
  };
}

const CLAIM = {
  operation: 'claim',
  request: {
    streamId: 'show',
    serverId: 'a',
    claimId: 'claim-000001',
    address: ADDRESS,
    playback: 'public',
    record: 'all',
  },
};

async function claimed(call: (payload: object) => Promise<unknown>) {
  const { epoch, sessionId, startedAtMs } = (await call(CLAIM)) as Record<string, unknown>;
  return { epoch, sessionId, startedAtMs };
}

test('events are with the queue before the answer leaves, in order', async () => {
  const sent: LifecycleEvent[] = [];
  const { call, heartbeat, announceVod } = setUp((event) => {
    sent.push(event);
    return Promise.resolve();
  });
  const grant = await claimed(call);
  await heartbeat(grant, { shape: SHAPE });
  expect(sent.map(({ type }) => type)).toEqual(['stream.live']);
  await call({ operation: 'stop', streamId: 'show', reason: 'ended' });
  const [live] = sent;
  if (live === undefined) throw new Error('wanted an event');
  const { streamId, sessionId } = live;
  await announceVod({ streamId, sessionId, data: { gaps: 0 } });
  await announceVod({ streamId, sessionId, data: { gaps: 0 } });
  expect(sent.map(({ type }) => type)).toEqual(['stream.live', 'stream.ended', 'vod.ready']);
  expect(sent[2]).toMatchObject({ id: `evt_vod_${sessionId}`, sequence: live.sequence + 2, data: { gaps: 0 } });
  expect(await call({ operation: 'sessions', streamId: 'show' })).toEqual({
    sessions: [{ sessionId, startedAtMs: 1_760_000_000_000, endedAtMs: 1_760_000_000_000 }],
  });
});

test('a queue that refuses costs no call its answer', async () => {
  const { call, heartbeat, lines } = setUp(() => Promise.reject(new Error('no queue')));
  const grant = await claimed(call);
  expect(parsePayload(heartbeatReplySchema, await heartbeat(grant, { shape: SHAPE }), 'reply').lost).toEqual([]);
  expect(lines.some((line) => line.includes('events wait in the outbox') && line.includes('no queue'))).toBe(true);
});

test('what is noted of a stream is answered, and refused by the name of a bad field', async () => {
  const sent: LifecycleEvent[] = [];
  const { call } = setUp((event) => {
    sent.push(event);
    return Promise.resolve();
  });
  const { epoch, sessionId } = await claimed(call);
  const request = {
    id: 'evt_relay000001',
    type: 'relay.failed',
    streamId: 'show',
    sessionId,
    epoch,
    data: { relay: 'x' },
  };
  expect(await call({ operation: 'notify', request })).toEqual({ outcome: 'noted' });
  expect(await call({ operation: 'notify', request })).toEqual({ outcome: 'noted' });
  expect(await call({ operation: 'notify', request: { ...request, epoch: 1 } })).toEqual({ outcome: 'stale' });
  expect(sent.map(({ type, data }) => ({ type, data }))).toEqual([{ type: 'relay.failed', data: { relay: 'x' } }]);
  expect(await call({ operation: 'notify', request: { ...request, id: 'x' } })).toEqual({
    error: { code: 'bad-request', message: 'request.request.id: wanted an event id' },
  });
});
