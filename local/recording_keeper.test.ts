import { beforeEach, describe, expect, it } from 'vitest';
import { makeSessionId } from '../contracts/ids.ts';
import type { SessionId } from '../contracts/ids.ts';
import { recordingKey } from '../contracts/recording.ts';
import type { FinalizeVodReply } from '../functions/finalize_vod.ts';
import { MemoryStore } from '../functions/finalize_vod/testing/memory_store.ts';
import { STREAM } from '../functions/finalize_vod/testing/synthetic_recording.ts';
import { FakeClock, settled as settle } from '../transcoder/stream/testing/fake_clock.ts';
import { silentLogger } from '../transcoder/stream/testing/silent_logger.ts';
import { RecordingKeeper } from './recording_keeper.ts';

const REPLY: FinalizeVodReply = { outcome: 'final', revision: 1, duration: 2, segments: 1, gaps: 0 };
const MINUTE_MS = 60_000;

let clock: FakeClock;
let store: MemoryStore;
let asked: SessionId[];
let failures: number;
let release: () => void;

function sessionAt(ms: number): SessionId {
  return makeSessionId(ms, new Uint8Array(10).fill(7));
}

function putOpen(sessionId: SessionId, modifiedAtMs: number): void {
  store.nowMs = modifiedAtMs;
  store.set(recordingKey.open(STREAM, sessionId), Buffer.from('{}'));
  store.set(recordingKey.session(STREAM, sessionId), Buffer.from('{}'));
}

function keeper(options: { readonly isShared?: boolean; readonly held?: boolean } = {}): RecordingKeeper {
  return new RecordingKeeper({
    store,
    finalize: async ({ sessionId }) => {
      asked.push(sessionId);
      if (options.held === true) await new Promise<void>((resolve) => (release = resolve));
      if (failures > 0) {
        failures -= 1;
        throw new Error('the store does not answer');
      }
      return REPLY;
    },
    isShared: options.isShared ?? false,
    clock,
    logger: silentLogger,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryStore();
  asked = [];
  failures = 0;
});

describe('the keeper of recordings', () => {
  it('takes a request on at once, and waits for it when it is closed', async () => {
    const kept = keeper({ held: true });
    const session = sessionAt(clock.wallMs());
    await kept.finalizeVod({ streamId: STREAM, sessionId: session });
    await settle();
    let closed = false;
    const closing = kept.close().then(() => (closed = true));
    await settle();
    expect([asked, closed]).toEqual([[session], false]);
    release();
    await closing;
  });

  it('asks for one recording once at a time, and again after a second request', async () => {
    const kept = keeper({ held: true });
    const request = { streamId: STREAM, sessionId: sessionAt(clock.wallMs()) };
    await kept.finalizeVod(request);
    await kept.finalizeVod(request);
    await settle();
    expect(asked).toHaveLength(1);
    release();
    await settle();
    expect(asked).toHaveLength(2);
    release();
    await kept.close();
  });

  it('tries again until it is done, less and less often', async () => {
    failures = 3;
    const kept = keeper();
    await kept.finalizeVod({ streamId: STREAM, sessionId: sessionAt(clock.wallMs()) });
    const attempts: number[] = [];
    for (const seconds of [0, 5, 10, 20, 40, 300]) {
      await clock.pass(seconds * 1000);
      attempts.push(asked.length);
    }
    expect(attempts).toEqual([1, 2, 3, 4, 4, 4]);
    await kept.close();
  });

  it('makes final what an earlier run left open, and nothing of this run', async () => {
    const now = clock.wallMs();
    const [old, older, mine] = [sessionAt(now - 5000), sessionAt(now - MINUTE_MS), sessionAt(now + 5000)];
    for (const session of [old, older, mine]) putOpen(session, now);
    const kept = keeper();
    kept.start();
    await settle();
    expect(asked.toSorted()).toEqual([old, older].toSorted());
    await kept.close();
  });

  it('leaves what goes on at another machine of a shared store, until nothing comes any more', async () => {
    const now = clock.wallMs();
    const [quiet, busy] = [sessionAt(now - 5 * MINUTE_MS), sessionAt(now - 4 * MINUTE_MS)];
    putOpen(quiet, now - MINUTE_MS);
    putOpen(busy, now - MINUTE_MS);
    const kept = keeper({ isShared: true });
    kept.start();
    await clock.pass(10_000);
    expect(asked).toEqual([]);
    putOpen(busy, now - MINUTE_MS + 2000);
    await clock.pass(5000);
    await settle();
    expect(asked).toEqual([quiet]);
    store.objects.delete(recordingKey.open(STREAM, quiet));
    await clock.pass(3 * MINUTE_MS);
    await settle();
    expect(asked).toEqual([quiet, busy]);
    await kept.close();
  });
});
