/**
 * The registry's contract: who is granted a stream, and what letting go of one means.
 */
import { describe, expect, test } from 'vitest';
import type { Epoch } from '../../contracts/ids.ts';
import { addressOf, claimBy, heartbeatOf, releaseOf, reportOf, SHAPE, SHOW } from './registry_calls.ts';
import type { ContractSubject } from './registry_under_test.ts';

export function claimContract(subject: ContractSubject): void {
  describe('claim', () => {
    test('of an unknown stream: a new session, numbered by the clock', async () => {
      const before = await subject.made.nowMs();
      const grant = await subject.granted(claimBy('a'));
      const after = await subject.made.nowMs();
      expect(grant.resumed).toBe(false);
      expect(grant.epoch).toBeGreaterThanOrEqual(Math.floor(before));
      expect(grant.epoch).toBeLessThanOrEqual(after + 1);
      expect(grant.carryOn.nextMsn).toBeGreaterThanOrEqual(Math.floor(before / 1000));
      expect(grant.carryOn.nextMsn).toBeLessThanOrEqual(after / 1000 + 1);
      expect(grant.sessionId).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
      expect(grant.startedAtMs).toBeGreaterThanOrEqual(Math.floor(before));
    });

    test('repeated with its claim id: the same answer, even after a newer owner', async () => {
      const request = claimBy('a');
      const first = await subject.granted(request);
      expect(await subject.made.registry.claim(request)).toEqual(first);
      await subject.made.advance(1_000);
      await subject.made.registry.release(releaseOf(first, 'moving'));
      expect(await subject.made.registry.claim(request)).toEqual(first);
      const second = await subject.granted(claimBy('b'));
      expect(await subject.made.registry.claim(request)).toEqual(first);
      expect((await subject.made.registry.resolve(SHOW))?.epoch).toBe(second.epoch);
    });

    test('by twenty servers at once: one is granted, the others hear of it', async () => {
      const servers = Array.from({ length: 20 }, (_, index) => `server-${index}`);
      const replies = await Promise.all(servers.map((server) => subject.made.registry.claim(claimBy(server))));
      const [grant, ...more] = replies.filter((reply) => reply.outcome === 'granted');
      expect(more).toEqual([]);
      const owned = replies.filter((reply) => reply.outcome === 'owned');
      expect(owned).toHaveLength(19);
      expect(new Set(owned.map((reply) => reply.ownerEpoch))).toEqual(new Set([grant?.epoch]));
    });

    test('of a live stream is answered with its owner, also when the lease ran out', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.advance(2_000);
      const reply = await subject.made.registry.claim(claimBy('b'));
      expect(reply).toMatchObject({
        outcome: 'owned',
        ownerServerId: 'a',
        ownerAddress: addressOf('a'),
        ownerEpoch: grant.epoch,
      });
      await subject.made.advance(118_000);
      const later = await subject.made.registry.claim(claimBy('b'));
      if (later.outcome !== 'owned') throw new Error('wanted the owner');
      expect(later.ownerEpoch).toBe(grant.epoch);
      expect(later.leaseAgeMs).toBeGreaterThanOrEqual(120_000);
    });

    test("that replaces another epoch than the owner's is not granted", async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.advance(20_000);
      const other = (grant.epoch - 1) as Epoch;
      expect(await subject.made.registry.claim(claimBy('b', { replaces: other }))).toMatchObject({ outcome: 'owned' });
    });

    test('never replaces an owner whose media is known to be fresh', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 100 })]));
      const replaces = grant.epoch;
      expect(await subject.made.registry.claim(claimBy('b', { replaces }))).toMatchObject({ outcome: 'owned' });
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 3_100 })]));
      expect(await subject.made.registry.claim(claimBy('b', { replaces }))).toMatchObject({ outcome: 'granted' });
    });

    test('of the owner itself restarts its encoder: same session, next epoch', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 0, shape: SHAPE })]));
      const again = await subject.granted(claimBy('a'));
      expect(again).toMatchObject({ resumed: true, sessionId: grant.sessionId, startedAtMs: grant.startedAtMs });
      expect(again.epoch).toBeGreaterThan(grant.epoch);
      expect(again.carryOn.shape).toEqual(SHAPE);
    });

    test('after a crash carries on above what may have been published', async () => {
      const grant = await subject.granted(claimBy('a'));
      const { nextMsn } = grant.carryOn;
      const report = {
        nextMsn: nextMsn + 5,
        discontinuitySequence: 3,
        programDateTimeEndMs: 1_750_000_000_123,
        shape: SHAPE,
      };
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, report)]));
      await subject.made.advance(8_400);
      const next = await subject.granted(claimBy('b', { replaces: grant.epoch }));
      expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId, startedAtMs: grant.startedAtMs });
      expect(next.carryOn.nextMsn - (nextMsn + 5)).toBe(9 + 2);
      expect(next.carryOn).toMatchObject({
        discontinuitySequence: 3 + 9 + 2,
        programDateTimeEndMs: 1_750_000_000_123,
        shape: SHAPE,
      });
    });

    test('long after a crash opens a new session above the old one', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { shape: SHAPE })]));
      await subject.made.advance(71_000);
      const next = await subject.granted(claimBy('b', { replaces: grant.epoch }));
      expect(next.resumed).toBe(false);
      expect(next.sessionId).not.toBe(grant.sessionId);
      expect(next.carryOn.nextMsn).toBeGreaterThan(grant.carryOn.nextMsn);
      expect(next.carryOn.shape).toBeUndefined();
    });
  });

  describe('release', () => {
    test('moving: the next claim is granted at once, with exact numbers', async () => {
      const grant = await subject.granted(claimBy('a'));
      const report = reportOf(grant, { nextMsn: grant.carryOn.nextMsn + 7, discontinuitySequence: 2, shape: SHAPE });
      expect(await subject.made.registry.release(releaseOf(grant, 'moving', { report }))).toEqual({
        outcome: 'released',
      });
      await subject.made.advance(4_000);
      const next = await subject.granted(claimBy('b'));
      expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId });
      expect(next.carryOn).toMatchObject({
        nextMsn: grant.carryOn.nextMsn + 7,
        discontinuitySequence: 2,
        shape: SHAPE,
      });
    });

    test('interrupted: carries on above the gaps that may be published meanwhile', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(grant, 'interrupted'));
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('interrupted');
      await subject.made.advance(3_500);
      const next = await subject.granted(claimBy('b'));
      expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId });
      expect(next.carryOn.nextMsn - grant.carryOn.nextMsn).toBe(4 + 2);
    });

    test('interrupted: the window is the one that the release names', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(grant, 'interrupted', { windowMs: 10_000 }));
      await subject.made.advance(9_500);
      const back = await subject.granted(claimBy('a'));
      expect(back.sessionId).toBe(grant.sessionId);
      await subject.made.registry.release(releaseOf(back, 'interrupted', { windowMs: 10_000 }));
      await subject.made.advance(10_500);
      const late = await subject.granted(claimBy('a'));
      expect(late.resumed).toBe(false);
      expect(late.sessionId).not.toBe(grant.sessionId);
      expect(late.carryOn.nextMsn).toBeGreaterThanOrEqual(back.carryOn.nextMsn);
    });

    test('interrupted: neither heartbeats nor repeats make the window longer', async () => {
      const grant = await subject.granted(claimBy('a'));
      const release = releaseOf(grant, 'interrupted', { windowMs: 10_000 });
      await subject.made.registry.release(release);
      for (let index = 0; index < 4; index += 1) {
        await subject.made.advance(3_000);
        await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { state: 'interrupted' })]));
        await subject.made.registry.release(release);
      }
      expect((await subject.granted(claimBy('b'))).resumed).toBe(false);
    });

    test('ended: the next claim opens a new session with higher numbers', async () => {
      const grant = await subject.granted(claimBy('a'));
      const nextMsn = grant.carryOn.nextMsn + 500;
      await subject.made.registry.release(releaseOf(grant, 'ended', { report: reportOf(grant, { nextMsn }) }));
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('ended');
      const next = await subject.granted(claimBy('a'));
      expect(next.resumed).toBe(false);
      expect(next.epoch).toBeGreaterThan(grant.epoch);
      expect(next.carryOn.nextMsn).toBe(nextMsn);
    });

    test('never touches a newer owner', async () => {
      const first = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b'));
      const before = await subject.made.registry.resolve(SHOW);
      for (const reason of ['ended', 'interrupted', 'moving'] as const) {
        expect(await subject.made.registry.release(releaseOf(first, reason))).toEqual({ outcome: 'stale' });
      }
      expect(await subject.made.registry.resolve(SHOW)).toEqual(before);
      expect(await subject.made.registry.claim(claimBy('c'))).toMatchObject({
        outcome: 'owned',
        ownerEpoch: second.epoch,
      });
    });

    test('is not undone by a heartbeat that was under way', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(grant, 'ended'));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('ended');
    });
  });
}
