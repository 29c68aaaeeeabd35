/** The function `reapSessions` over the registry in memory: a dead server's session ends, is told of, and is made final. */
import { expect, test } from 'vitest';
import { parseStreamId } from '../../contracts/ids.ts';
import type { LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import { createControlPlane } from '../control_plane.ts';
import type { OpenRecording, OwnerWord } from '../reap_sessions.ts';
import { createMemoryRegistry } from '../registry/memory_registry.ts';
import { createReapSessionsFunction } from './reap_sessions.ts';

const SHOW = parseStreamId('show');

async function setUp(word: OwnerWord, open: readonly OpenRecording[] = []) {
  let nowMs = 1_760_000_000_000;
  const lines: string[] = [];
  const log = (_: unknown, message: string, fields: object) => void lines.push(JSON.stringify({ message, ...fields }));
  const registry = createMemoryRegistry({
    clock: { nowMs: () => nowMs },
    random: (length) => new Uint8Array(length),
  });
  const sent: LifecycleEvent[] = [];
  let queueIsAway = false;
  const { pump } = createControlPlane({
    registry,
    queue: {
      send: (event) => {
        if (queueIsAway) return Promise.reject(new Error('away'));
        sent.push(event);
        return Promise.resolve();
      },
      sendHealth: () => Promise.resolve(),
    },
    log,
  });
  const address = { private: 'http://10.0.0.1:8000' };
  const grant = await registry.claim({
    streamId: SHOW,
    serverId: 'a',
    claimId: 'claim-000001',
    address,
    playback: 'public',
    record: 'all',
  });
  if (grant.outcome !== 'granted') throw new Error('wanted a grant');
  const { epoch, sessionId, startedAtMs } = grant;
  await registry.heartbeat({
    serverId: 'a',
    seq: 1,
    address,
    capacity: { streams: 1, maxStreams: 2, ready: true, draining: false },
    streams: [
      {
        streamId: SHOW,
        epoch,
        sessionId,
        startedAtMs,
        state: 'live',
        nextMsn: 1,
        discontinuitySequence: 0,
        programDateTimeEndMs: 0,
        shape: { renditions: [], targetDuration: 2, partTarget: 0.5 },
        playback: 'public',
        record: 'all',
        mediaAgeMs: 0,
      },
    ],
  });
  const finalized: OpenRecording[] = [];
  const reap = createReapSessionsFunction({
    sessions: registry,
    askOwner: () => Promise.resolve(word),
    finalizeVod: (recording) => {
      finalized.push(recording);
      return Promise.resolve();
    },
    listOpenRecordings: async function* list() {
      for (const recording of open) yield await Promise.resolve(recording);
    },
    pump,
    log,
    nowMs: () => nowMs,
  });
  return {
    sent,
    lines,
    finalized,
    sessionId,
    setQueueAway: (away: boolean) => {
      queueIsAway = away;
    },
    /** One run, a minute after the last. */
    run: () => {
      nowMs += 60_000;
      return reap({ source: 'aws.events' }, { awsRequestId: 'r1' });
    },
  };
}

test('ends a dead session, in the third minute at the latest', async () => {
  const { run, sent, finalized, sessionId, lines } = await setUp('unreachable');
  expect(await run()).toEqual({ ended: [], finalized: 0, failures: 0 });
  expect(await run()).toEqual({ ended: [{ streamId: SHOW, sessionId }], finalized: 1, failures: 0 });
  expect(await run()).toEqual({ ended: [], finalized: 0, failures: 0 });
  expect(finalized).toEqual([{ streamId: SHOW, sessionId }]);
  expect(sent.map(({ type }) => type)).toEqual(['stream.live', 'stream.ended']);
  expect(lines.at(-1)).toContain('"function":"reapSessions"');
});

test('a server that answers for its session keeps it', async () => {
  const { run, sent, finalized } = await setUp('serving');
  for (let index = 0; index < 5; index += 1) await run();
  expect(finalized).toEqual([]);
  expect(sent.map(({ type }) => type)).toEqual(['stream.live']);
});

test('events that the queue refused are handed over by a later run, in order', async () => {
  const { run, sent, setQueueAway } = await setUp('unreachable');
  setQueueAway(true);
  await run();
  await run();
  expect(sent).toEqual([]);
  setQueueAway(false);
  await run();
  expect(sent.map(({ type }) => type)).toEqual(['stream.live', 'stream.ended']);
});
