/**
 * The registry's contract: every transition of a session that viewers notice makes one event, in order, in the same
 * step as the transition.
 */
import { describe, expect, test } from 'vitest';
import type { Epoch, StreamId } from '../../contracts/ids.ts';
import type { Notification } from '../../contracts/lifecycle_event.ts';
import { lifecycleEventSchema } from '../../contracts/lifecycle_event.ts';
import type { StreamReport } from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { drainOutbox } from './drain_outbox.ts';
import { claimBy, heartbeatOf, releaseOf, reportOf, SHAPE, SHOW } from './registry_calls.ts';
import type { Granted } from './registry_calls.ts';
import type { ContractSubject } from './registry_under_test.ts';

const typesOf = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type);

function notificationOf(grant: Granted, more: Partial<Notification> = {}): Notification {
  return {
    id: 'evt_01KAP0000000000000000000AA',
    type: 'relay.failed',
    streamId: SHOW,
    sessionId: grant.sessionId,
    epoch: grant.epoch,
    data: { relay: 'youtube' },
    ...more,
  };
}

export function outboxContract(subject: ContractSubject): void {
  const drain = () => drainOutbox(subject.made);
  const beat = (grant: Granted, more: Partial<StreamReport> = {}, serverId = 'a') =>
    subject.made.registry.heartbeat(heartbeatOf(serverId, [reportOf(grant, { shape: SHAPE, ...more })]));
  /** A session that is playable, and whose outbox is empty. */
  const live = async (serverId = 'a'): Promise<Granted> => {
    const grant = await subject.granted(claimBy(serverId));
    await beat(grant, {}, serverId);
    await drain();
    return grant;
  };

  describe('outbox', () => {
    test('stream.live: once, with the first report that knows the shape', async () => {
      const grant = await subject.granted(claimBy('a', { title: 'A "title" \\ ✓', playback: 'signed' }));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect(await drain()).toEqual([]);
      const before = await subject.made.nowMs();
      await beat(grant, { title: 'A "title" \\ ✓', playback: 'signed' });
      await beat(grant);
      expect(subject.made.registry.takeUnsent()).toEqual([SHOW]);
      const [event, ...more] = await drain();
      expect(more).toEqual([]);
      expect(event).toMatchObject({
        id: `evt_${grant.sessionId}_live`,
        type: 'stream.live',
        streamId: SHOW,
        sessionId: grant.sessionId,
        data: { path: '/show/live.m3u8', playback: 'signed', title: 'A "title" \\ ✓' },
      });
      const { sequence, timestamp } = parsePayload(lifecycleEventSchema, event, 'event');
      expect(sequence).toBeGreaterThanOrEqual(Math.floor(before));
      expect(Math.abs(Date.parse(timestamp) - before)).toBeLessThan(5_000);
      await beat(grant);
      expect(await drain()).toEqual([]);
      expect(subject.made.registry.takeUnsent()).toEqual([]);
    });

    test('interrupted, resumed, ended: one event each, however often the calls come, with sequences that follow', async () => {
      const grant = await live();
      const release = releaseOf(grant, 'interrupted', { windowMs: 60_000, detail: 'the connection was reset' });
      await subject.made.registry.release(release);
      await subject.made.registry.release(release);
      await beat(grant, { state: 'interrupted' });
      await subject.made.advance(4_000);
      const claim = claimBy('b');
      const back = await subject.granted(claim);
      await subject.granted(claim);
      await beat(back, {}, 'b');
      await subject.made.advance(6_000);
      const end = releaseOf(back, 'ended', { report: reportOf(back, { shape: SHAPE }), detail: 'it said goodbye' });
      await subject.made.registry.release(end);
      await subject.made.registry.release(end);
      await beat(back, { state: 'ended' }, 'b');
      const events = await drain();
      expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
        { type: 'stream.interrupted', data: { reason: 'the connection was reset', windowSeconds: 60 } },
        { type: 'stream.resumed', data: { awaySeconds: 4 } },
        { type: 'stream.ended', data: { reason: 'it said goodbye', durationSeconds: 10 } },
      ]);
      const sequences = events.map((event) => parsePayload(lifecycleEventSchema, event, 'event').sequence);
      expect(sequences).toEqual([0, 1, 2].map((step) => (sequences[0] ?? 0) + step));
      expect(new Set(events.map(({ id }) => id)).size).toBe(3);
      expect(new Set(events.map(({ sessionId }) => sessionId))).toEqual(new Set([grant.sessionId]));
    });

    test('a refused second publisher, a restarted encoder, a hand-over: no event', async () => {
      const grant = await live();
      await beat(grant, { mediaAgeMs: 10 });
      expect(await subject.made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'owned' });
      expect(await subject.made.registry.claim(claimBy('b', { replaces: grant.epoch }))).toMatchObject({
        outcome: 'owned',
      });
      const restarted = await subject.granted(claimBy('a'));
      await beat(restarted);
      await subject.made.registry.release(releaseOf(restarted, 'moving'));
      const moved = await subject.granted(claimBy('b'));
      await beat(moved, {}, 'b');
      expect(await drain()).toEqual([]);
      expect(moved.sessionId).toBe(grant.sessionId);
    });

    test('a session that was never playable makes none', async () => {
      const first = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(first, 'interrupted'));
      const second = await subject.granted(claimBy('a'));
      expect(second.resumed).toBe(true);
      await subject.made.registry.release(releaseOf(second, 'ended'));
      expect(await drain()).toEqual([]);
    });

    test('a takeover of a silent server: interrupted and resumed', async () => {
      const grant = await live();
      await subject.made.advance(9_000);
      const heir = await subject.granted(claimBy('b', { replaces: grant.epoch }));
      await beat(heir, {}, 'b');
      const events = await drain();
      expect(typesOf(events)).toEqual(['stream.interrupted', 'stream.resumed']);
      expect(events[1]?.data).toEqual({ awaySeconds: 9 });
    });

    test('a session that another one follows has ended', async () => {
      const grant = await live();
      await subject.made.registry.release(releaseOf(grant, 'interrupted', { windowMs: 10_000 }));
      await subject.made.advance(11_000);
      const next = await subject.granted(claimBy('b'));
      expect(next.resumed).toBe(false);
      await beat(next, {}, 'b');
      const events = await drain();
      expect(typesOf(events)).toEqual(['stream.interrupted', 'stream.ended', 'stream.live']);
      expect(events.map(({ sessionId }) => sessionId)).toEqual([grant.sessionId, grant.sessionId, next.sessionId]);
    });

    test("ended at a person's word", async () => {
      await live();
      await subject.made.registry.stop(SHOW, 'revoked');
      await subject.made.registry.stop(SHOW, 'revoked');
      const events = await drain();
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({ type: 'stream.ended', data: { reason: 'its key was revoked' } });
    });

    test('what a server notes of a stream: one event per id, none of an older epoch', async () => {
      const first = await live();
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b'));
      const { registry } = subject.made;
      expect(await registry.notify(notificationOf(first))).toEqual({ outcome: 'stale' });
      expect(await registry.notify(notificationOf(second))).toEqual({ outcome: 'noted' });
      expect(await registry.notify(notificationOf(second))).toEqual({ outcome: 'noted' });
      const health = notificationOf(second, { id: 'evt_health00000001', type: 'encoder.restarted', data: {} });
      expect(await registry.notify(health)).toEqual({ outcome: 'noted' });
      expect(await registry.notify(health)).toEqual({ outcome: 'noted' });
      expect(registry.takeUnsent()).toEqual([SHOW]);
      const events = await drain();
      expect(events.map(({ type, data }) => ({ type, data }))).toEqual([
        { type: 'relay.failed', data: { relay: 'youtube' } },
        { type: 'encoder.restarted', data: {} },
      ]);
      expect(events[1]).not.toHaveProperty('sequence');
    });

    test('an event that follows from no transition: one per id', async () => {
      const grant = await live();
      await subject.made.registry.release(releaseOf(grant, 'ended'));
      const ready = {
        id: `evt_vod_${grant.sessionId}`,
        type: 'vod.ready' as const,
        streamId: SHOW,
        sessionId: grant.sessionId,
        data: { path: '/show/vod.m3u8', gaps: 0, poster: true, note: null },
      };
      expect(await subject.made.registry.append(ready)).toBe(true);
      expect(await subject.made.registry.append(ready)).toBe(false);
      const events = await drain();
      expect(typesOf(events)).toEqual(['stream.ended', 'vod.ready']);
      expect(events[1]).toMatchObject(ready);
      expect(await subject.made.registry.append(ready)).toBe(false);
    });

    test('strikes off only what stands first, and forgets all at a word', async () => {
      const grant = await live();
      await subject.made.registry.release(releaseOf(grant, 'interrupted'));
      await subject.made.registry.release(releaseOf(grant, 'ended'));
      const { registry } = subject.made;
      const first = await registry.next(SHOW);
      expect((await registry.next(SHOW, 'evt_somethingelse'))?.id).toBe(first?.id);
      expect((await registry.next(SHOW, first?.id))?.type).toBe('stream.ended');
      expect((await registry.next(SHOW, first?.id))?.type).toBe('stream.ended');
      await registry.discard(SHOW);
      expect(await registry.next(SHOW)).toBeUndefined();
    });

    test('finds what calls left behind, and strikes it off unless there was another call', async () => {
      const grant = await live();
      const { registry } = subject.made;
      const marks = async () => (await registry.leftovers(10)).map(({ streamId }) => streamId);
      await registry.release(releaseOf(grant, 'interrupted'));
      expect(await marks()).toEqual([]);
      await subject.made.advance(31_000);
      expect(await marks()).toEqual([SHOW]);
      const [left] = await registry.leftovers(10);
      if (left === undefined) throw new Error('wanted a stream');
      await registry.stop(SHOW, 'ended');
      await registry.settle(left);
      await subject.made.advance(31_000);
      expect(await marks()).toEqual([SHOW]);
      expect(typesOf(await drain())).toEqual(['stream.interrupted', 'stream.ended']);
      for (const each of await registry.leftovers(10)) await registry.settle(each);
      expect(await marks()).toEqual([]);
    });

    test('keeps the last thousand events of a stream', async () => {
      const { registry } = subject.made;
      const grant = await live();
      const count = 1_020;
      for (let index = 0; index < count; index += 1) {
        const id = `evt_relay${String(index).padStart(6, '0')}`;
        await registry.notify(notificationOf(grant, { id }));
      }
      const events = await drain();
      expect(events).toHaveLength(1_000);
      expect(events.at(-1)?.id).toBe('evt_relay001019');
    });

    test('emptied: the sequence goes on above, and what was told is not told again', async () => {
      const grant = await live();
      await subject.made.registry.notify(notificationOf(grant));
      const [before] = await drain();
      await subject.made.advance(61_000);
      await subject.made.empty();
      await beat(grant);
      expect(await drain()).toEqual([]);
      await subject.made.registry.release(releaseOf(grant, 'ended'));
      const [after] = await drain();
      const sequenceOf = (event: unknown) => parsePayload(lifecycleEventSchema, event, 'event').sequence;
      expect(after?.type).toBe('stream.ended');
      expect(sequenceOf(after)).toBeGreaterThan(sequenceOf(before));
    });

    test('emptied before a young session was told of: it is told of, under its one id', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.empty();
      await beat(grant);
      expect(await drain()).toMatchObject([{ id: `evt_${grant.sessionId}_live` }]);
    });
  });

  describe('a claim whose reply was lost', () => {
    test('does not cost the owner its stream, until it reports the newer epoch', async () => {
      const first = await live();
      await subject.made.advance(1_000);
      const second = await subject.granted(claimBy('a'));
      const third = await subject.granted(claimBy('a'));
      await subject.made.advance(9_000);
      const nextMsn = first.carryOn.nextMsn + 50;
      expect((await beat(first, { mediaAgeMs: 20, nextMsn })).lost).toEqual([]);
      expect(await subject.made.registry.claim(claimBy('b', { replaces: third.epoch }))).toMatchObject({
        outcome: 'owned',
      });
      expect((await beat(first, {}, 'b')).lost).toHaveLength(1);
      expect((await beat(second)).lost).toEqual([]);
      expect((await beat(third)).lost).toEqual([]);
      for (const older of [first, second]) {
        expect((await beat(older)).lost).toEqual([{ streamId: SHOW, epoch: older.epoch, reason: 'superseded' }]);
      }
      await subject.made.registry.release(releaseOf(third, 'moving'));
      expect((await subject.granted(claimBy('b'))).carryOn.nextMsn).toBeGreaterThanOrEqual(nextMsn);
      expect(await drain()).toEqual([]);
    });

    test('a late word of the older epoch does not interrupt the newer one', async () => {
      const first = await live();
      const second = await subject.granted(claimBy('a'));
      expect(await subject.made.registry.release(releaseOf(first, 'interrupted'))).toEqual({ outcome: 'stale' });
      await beat(first, { state: 'interrupted' });
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ epoch: second.epoch, state: 'live' });
      expect(await drain()).toEqual([]);
    });

    test('a takeover by another server is told of at once', async () => {
      const first = await live();
      await subject.granted(claimBy('a'));
      await subject.made.advance(9_000);
      const owned = await subject.made.registry.claim(claimBy('b'));
      if (owned.outcome !== 'owned') throw new Error('wanted the owner');
      await subject.granted(claimBy('b', { replaces: owned.ownerEpoch }));
      expect((await beat(first)).lost).toEqual([{ streamId: SHOW, epoch: first.epoch, reason: 'superseded' }]);
    });
  });

  describe('session index', () => {
    test('lists sessions newest first, with their ends', async () => {
      const first = await live();
      await subject.made.registry.release(releaseOf(first, 'ended'));
      await subject.made.advance(2_000);
      const second = await live();
      const [newer, older, ...more] = await subject.made.registry.sessions(SHOW);
      expect(more).toEqual([]);
      expect(newer).toEqual({ sessionId: second.sessionId, startedAtMs: second.startedAtMs });
      expect(older).toMatchObject({ sessionId: first.sessionId, startedAtMs: first.startedAtMs });
      expect(older?.endedAtMs).toBeGreaterThanOrEqual(first.startedAtMs);
      expect(await subject.made.registry.sessions('nothing' as StreamId)).toEqual([]);
    });

    test('keeps 64', async () => {
      for (let index = 0; index < 70; index += 1) {
        const grant = await subject.granted(claimBy('a'));
        await subject.made.registry.release(releaseOf(grant, 'ended'));
        await subject.made.advance(2);
      }
      expect(await subject.made.registry.sessions(SHOW)).toHaveLength(64);
    });

    test('is restored by a report', async () => {
      const grant = await live();
      await subject.made.empty();
      const epoch = (grant.epoch + 1) as Epoch;
      await beat(grant, { epoch });
      expect(await subject.made.registry.sessions(SHOW)).toEqual([
        { sessionId: grant.sessionId, startedAtMs: grant.startedAtMs },
      ]);
    });
  });
}
