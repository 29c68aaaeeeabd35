/** One run of the reaper: whom it ends, what it has made final, and what it leaves to the next run. */
import { expect, test } from 'vitest';
import { parseEpoch, parseSessionId, parseStreamId } from '../contracts/ids.ts';
import { reapSessions } from './reap_sessions.ts';
import type { OpenRecording, OwnerWord, ReapSessionsOptions, SessionState, SilentSession } from './reap_sessions.ts';

function silent(streamId: string): SilentSession {
  return {
    streamId: parseStreamId(streamId),
    sessionId: parseSessionId('01KAP0000000000000000000ZZ'),
    epoch: parseEpoch(7),
    address: { private: `http://${streamId}.internal:8000` },
    renewedAtMs: 1,
  };
}

const recording = (streamId: string, last = 'A'): OpenRecording => ({
  streamId: parseStreamId(streamId),
  sessionId: parseSessionId(`01KAP0000000000000000000Z${last}`),
});

async function* each(recordings: readonly OpenRecording[]) {
  for (const one of recordings) yield await Promise.resolve(one);
}

function setUp(more: {
  readonly silent?: readonly SilentSession[];
  readonly word?: (streamId: string) => OwnerWord;
  readonly states?: Readonly<Record<string, SessionState>>;
  readonly open?: readonly OpenRecording[];
  readonly finalizeVod?: (one: OpenRecording) => Promise<void>;
}) {
  const finalized: string[] = [];
  const errors: string[] = [];
  const options: ReapSessionsOptions = {
    sessions: {
      silentSessions: () => Promise.resolve(more.silent ?? []),
      endSilent: ({ streamId }) => Promise.resolve(streamId !== 'heard'),
      sessionState: (streamId) => Promise.resolve(more.states?.[streamId] ?? { state: 'unknown' }),
    },
    askOwner: ({ streamId }) => Promise.resolve(more.word?.(streamId) ?? 'unreachable'),
    finalizeVod:
      more.finalizeVod ??
      (({ streamId }) => {
        finalized.push(streamId);
        return Promise.resolve();
      }),
    listOpenRecordings: () => each(more.open ?? []),
    onError: (step, at, error) => errors.push(`${step} ${at?.streamId}: ${String(error)}`),
  };
  return { options, finalized, errors };
}

test('ends the silent whose server does not speak for them, and has their recordings made final', async () => {
  const words: Record<string, OwnerWord> = { alive: 'serving', restarted: 'gone', dead: 'unreachable' };
  const { options, finalized, errors } = setUp({
    silent: ['alive', 'restarted', 'dead', 'heard'].map(silent),
    word: (streamId) => words[streamId] ?? 'unreachable',
  });
  const report = await reapSessions(options);
  expect(report.ended.map(({ streamId }) => streamId).toSorted()).toEqual(['dead', 'restarted']);
  expect(finalized.toSorted()).toEqual(['dead', 'restarted']);
  expect(report).toMatchObject({ finalized: 2, failures: 0 });
  expect(errors).toEqual([]);
});

test('orphans are made final once their session has been over for five minutes', async () => {
  const { options, finalized } = setUp({
    states: {
      running: { state: 'running' },
      unsure: { state: 'unknown' },
      fresh: { state: 'over', endedForMs: 299_000 },
      old: { state: 'over', endedForMs: 300_000 },
      forgotten: { state: 'over' },
    },
    open: ['running', 'unsure', 'fresh', 'old', 'forgotten'].map((streamId) =>
      recording(streamId, streamId.length === 3 ? 'B' : 'A'),
    ),
  });
  await reapSessions(options);
  expect(finalized).toEqual(['old', 'forgotten']);
});

test('what fails is told of and does not stop the rest', async () => {
  let calls = 0;
  const { options, errors } = setUp({
    silent: ['one', 'two'].map(silent),
    states: { orphan: { state: 'over' } },
    open: [recording('orphan')],
    finalizeVod: () => {
      calls += 1;
      return Promise.reject(new Error('no answer'));
    },
  });
  const failing: ReapSessionsOptions = {
    ...options,
    listOpenRecordings: async function* list() {
      yield* each([recording('orphan')]);
      throw new Error('the store is away');
    },
  };
  const report = await reapSessions(failing);
  expect(report.ended).toHaveLength(2);
  expect(report.failures).toBe(4);
  expect(calls).toBe(3);
  expect(errors.at(-1)).toBe('finding open recordings undefined: Error: the store is away');
});
