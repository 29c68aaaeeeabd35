import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { makeSessionId, parseStreamId } from '../contracts/ids.ts';
import type { LifecycleEvent } from '../contracts/lifecycle_event.ts';
import { EventDeliverer } from './event_deliverer.ts';
import { EventFile } from './event_file.ts';
import { endLeftSessions } from './left_sessions.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function event(stream: string, session: number, type: LifecycleEvent['type'], sequence: number): LifecycleEvent {
  const sessionId = makeSessionId(session, new Uint8Array(10));
  return {
    id: `evt_${sessionId}_${sequence}`,
    type,
    streamId: parseStreamId(stream),
    sessionId,
    sequence,
    timestamp: new Date(NOW_MS - 1000).toISOString(),
    data: {},
  };
}

test('what a killed server left live is told to have ended, once, before anything newer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-left-'));
  const file = new EventFile(join(folder, 'events.sqlite'), () => NOW_MS);
  try {
    for (const earlier of [
      event('over', 1, 'stream.live', 10),
      event('over', 1, 'stream.ended', 11),
      event('over', 1, 'vod.ready', 12),
      event('left', 2, 'stream.live', 20),
      event('left', 2, 'stream.ended', 21),
      event('left', 3, 'stream.live', 22),
      event('left', 3, 'stream.interrupted', 23),
      event('left', 3, 'relay.failed', 24),
    ]) {
      await file.send(earlier);
    }
    await endLeftSessions(file, NOW_MS);
    await endLeftSessions(file, NOW_MS + 5000);
    const got: LifecycleEvent[] = [];
    const deliver = async (next: object) => {
      got.push(next as LifecycleEvent);
      return { delivered: true as const };
    };
    const deliverer = new EventDeliverer({ file, deliver, log: () => undefined, nowMs: () => NOW_MS });
    await vi.waitUntil(() => file.heads().length === 0);
    await deliverer.close();
    const left = event('left', 3, 'stream.ended', 25);
    expect(got.filter(({ type }) => type === 'stream.ended').map(({ sequence }) => sequence)).toEqual([11, 21, 25]);
    expect(got.findLast(({ streamId }) => streamId === left.streamId)).toEqual({
      ...left,
      id: `evt_${left.sessionId}_ended`,
      timestamp: '2026-01-02T03:04:05.000Z',
      data: { reason: 'its server was stopped' },
    });
    expect(file.leftOpen()).toEqual([]);
  } finally {
    file.close();
    await rm(folder, { recursive: true });
  }
});
