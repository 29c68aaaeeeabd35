/**
 * The registry's contract: which sessions the reaper may end, and what that leaves behind.
 */
import { describe, expect, test } from 'vitest';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { drainOutbox } from './drain_outbox.ts';
import { addressOf, claimBy, heartbeatOf, releaseOf, reportOf, SHAPE, SHOW } from './registry_calls.ts';
import type { Granted } from './registry_calls.ts';
import type { ContractSubject } from './registry_under_test.ts';

export function reapContract(subject: ContractSubject): void {
  const look = () => subject.made.registry.silentSessions();
  const live = async (): Promise<Granted> => {
    const grant = await subject.granted(claimBy('a'));
    await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { shape: SHAPE })]));
    return grant;
  };
  /** Looks once a minute, `times` times, the first look 20 s from now. Gives what the last look found. */
  const watch = async (times: number) => {
    await subject.made.advance(20_000);
    let found = await look();
    for (let index = 1; index < times; index += 1) {
      await subject.made.advance(60_000);
      found = await look();
    }
    return found;
  };

  describe('reaper', () => {
    test('finds a session that stays silent for its window while it is watched', async () => {
      const grant = await live();
      expect(await watch(1)).toEqual([]);
      await subject.made.advance(40_000);
      expect(await look()).toEqual([]);
      await subject.made.advance(20_000);
      const found = await look();
      expect(found).toMatchObject([
        { streamId: SHOW, sessionId: grant.sessionId, epoch: grant.epoch, address: addressOf('a') },
      ]);
    });

    test('ends it once: state, event, index; its server hears of it if it comes back', async () => {
      const grant = await live();
      const [found] = await watch(2);
      if (found === undefined) throw new Error('wanted a session');
      expect(await subject.made.registry.endSilent(found)).toBe(true);
      expect(await subject.made.registry.endSilent(found)).toBe(false);
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('ended');
      const events = await drainOutbox(subject.made);
      expect(events.map(({ type }) => type)).toEqual(['stream.live', 'stream.ended']);
      expect(events[1]?.data).toEqual({ reason: 'its server went silent', durationSeconds: 80 });
      expect((await subject.made.registry.sessions(SHOW))[0]?.endedAtMs).toBeDefined();
      const reply = await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect(reply.lost).toEqual([{ streamId: SHOW, epoch: grant.epoch, reason: 'ended' }]);
      expect(await watch(3)).toEqual([]);
      expect((await subject.granted(claimBy('b'))).resumed).toBe(false);
    });

    test('a claim that was never followed by a report is found, too', async () => {
      await subject.granted(claimBy('a'));
      expect(await watch(2)).toHaveLength(1);
    });

    test('a sign of life between look and end saves it', async () => {
      const grant = await live();
      const [found] = await watch(2);
      if (found === undefined) throw new Error('wanted a session');
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect(await subject.made.registry.endSilent(found)).toBe(false);
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('live');
    });

    test('a watch that was broken off, as by a registry that was away, begins anew', async () => {
      await live();
      expect(await watch(1)).toEqual([]);
      await subject.made.advance(120_000);
      expect(await look()).toEqual([]);
      await subject.made.advance(60_000);
      expect(await look()).toHaveLength(1);
    });

    test('nobody is ended after an outage of the control plane', async () => {
      const grant = await live();
      await subject.made.advance(120_000);
      expect(await look()).toEqual([]);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect(await watch(1)).toEqual([]);
    });

    test('an interrupted session has its own window, and is left to its server while that reports', async () => {
      const grant = await live();
      await subject.made.registry.release(releaseOf(grant, 'interrupted', { windowMs: 205_000 }));
      expect(await watch(4)).toEqual([]);
      await subject.made.advance(10_000);
      expect(await look()).toHaveLength(1);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { state: 'interrupted' })]));
      await subject.made.advance(5_000);
      expect(await look()).toEqual([]);
    });

    test('tells what became of a session', async () => {
      const state = (id: SessionId, streamId = SHOW) => subject.made.registry.sessionState(streamId, id);
      const first = await live();
      expect(await state(first.sessionId)).toEqual({ state: 'running' });
      await subject.made.registry.release(releaseOf(first, 'ended'));
      await subject.made.advance(5_000);
      const over = await state(first.sessionId);
      expect(over.state).toBe('over');
      expect('endedForMs' in over ? over.endedForMs : 0).toBeGreaterThanOrEqual(5_000);
      const second = await live();
      expect(await state(second.sessionId)).toEqual({ state: 'running' });
      await subject.made.empty();
      await subject.made.registry.heartbeat(heartbeatOf('b', []));
      expect(await state(second.sessionId)).toEqual({ state: 'unknown' });
      await subject.made.advance(61_000);
      expect(await state(second.sessionId)).toEqual({ state: 'over' });
      const stranger = '01KAP0000000000000000000ZZ' as SessionId;
      expect(await state(stranger, 'nothing' as StreamId)).toEqual({ state: 'over' });
    });
  });
}
