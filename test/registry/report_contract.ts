/**
 * The registry's contract: what heartbeats change, what edges are told, and how an emptied registry comes back.
 */
import { describe, expect, test } from 'vitest';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { HeartbeatRequest, StreamReport } from '../../contracts/registry.ts';
import { addressOf, claimBy, heartbeatOf, releaseOf, reportOf, SHAPE, SHOW } from './registry_calls.ts';
import type { ContractSubject } from './registry_under_test.ts';

const capacity = (streams: number, more: Partial<HeartbeatRequest['capacity']> = {}) => ({
  capacity: { streams, maxStreams: 10, ready: true, draining: false, ...more },
});

export function reportContract(subject: ContractSubject): void {
  describe('heartbeat', () => {
    test('tells a server of the streams that it lost, and leaves the newer owner alone', async () => {
      const first = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b'));
      const reply = await subject.made.registry.heartbeat(
        heartbeatOf('a', [reportOf(first, { nextMsn: 9_999_999_999 })]),
      );
      expect(reply.lost).toEqual([{ streamId: SHOW, epoch: first.epoch, reason: 'superseded' }]);
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ epoch: second.epoch, serverId: 'b' });
      await subject.made.registry.release(releaseOf(second, 'moving'));
      expect((await subject.granted(claimBy('c'))).carryOn.nextMsn).toBe(second.carryOn.nextMsn);
    });

    test('renews the lease, keeps the shape, and MSN only rises', async () => {
      const grant = await subject.granted(claimBy('a'));
      const { nextMsn } = grant.carryOn;
      await subject.made.registry.heartbeat(
        heartbeatOf('a', [reportOf(grant, { nextMsn: nextMsn + 9, shape: SHAPE })]),
      );
      await subject.made.advance(3_000);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { nextMsn: nextMsn + 1 })]));
      const owned = await subject.made.registry.claim(claimBy('b'));
      if (owned.outcome !== 'owned') throw new Error('wanted the owner');
      expect(owned.leaseAgeMs).toBeLessThan(1_000);
      expect((await subject.made.registry.resolve(SHOW))?.renditions).toEqual(['360p']);
      await subject.made.registry.release(releaseOf(grant, 'moving'));
      expect((await subject.granted(claimBy('b'))).carryOn).toMatchObject({ nextMsn: nextMsn + 9, shape: SHAPE });
    });

    test('with a lower number than before changes nothing', async () => {
      const grant = await subject.granted(claimBy('a'));
      const late = heartbeatOf('a', [reportOf(grant, { title: 'old' })]);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { title: 'new' })]));
      await subject.made.registry.heartbeat(late);
      expect((await subject.made.registry.resolve(SHOW))?.title).toBe('new');
    });

    test('counts again after a silence, for a server that was started anew under its name', async () => {
      const grant = await subject.granted(claimBy('a'));
      const early = heartbeatOf('a', [reportOf(grant, { title: 'restarted' })]);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      await subject.made.advance(10_500);
      await subject.made.registry.heartbeat(early);
      expect((await subject.made.registry.resolve(SHOW))?.title).toBe('restarted');
    });

    test('of another server for the same epoch is not believed', async () => {
      const grant = await subject.granted(claimBy('a'));
      const reply = await subject.made.registry.heartbeat(heartbeatOf('b', [reportOf(grant)]));
      expect(reply.lost).toHaveLength(1);
      expect((await subject.made.registry.resolve(SHOW))?.serverId).toBe('a');
    });

    test('names ready peers, least loaded first', async () => {
      await subject.made.registry.heartbeat(heartbeatOf('gone', [], capacity(0)));
      await subject.made.advance(10_500);
      await subject.made.registry.heartbeat(heartbeatOf('busy', [], capacity(8)));
      await subject.made.registry.heartbeat(heartbeatOf('idle', [], capacity(1)));
      await subject.made.registry.heartbeat(heartbeatOf('full', [], capacity(10)));
      await subject.made.registry.heartbeat(heartbeatOf('leaving', [], capacity(0, { draining: true })));
      await subject.made.registry.heartbeat(heartbeatOf('starting', [], capacity(0, { ready: false })));
      const reply = await subject.made.registry.heartbeat(heartbeatOf('a', [], capacity(0)));
      expect(reply.peers).toEqual([
        { serverId: 'idle', ingest: 'idle.internal:1935', streams: 1 },
        { serverId: 'busy', ingest: 'busy.internal:1935', streams: 8 },
      ]);
      expect(reply.drain).toBe(false);
    });

    test('carries fifty streams', async () => {
      const reports: StreamReport[] = [];
      for (let index = 0; index < 50; index += 1) {
        const streamId = `s${index}` as StreamId;
        reports.push(reportOf(await subject.granted(claimBy('a', { streamId })), { streamId, title: `t"${index}` }));
      }
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', reports))).lost).toEqual([]);
      expect((await subject.made.registry.resolve('s49' as StreamId))?.title).toBe('t"49');
    });
  });

  describe('resolve', () => {
    test('of an unknown stream: nothing', async () => {
      expect(await subject.made.registry.resolve('nothing' as StreamId)).toBeUndefined();
    });

    test('gives the whole record, the owners before this one included, newest first', async () => {
      const first = await subject.granted(
        claimBy('a', { playback: 'signed', title: 'A "title" with ✓ and \\ and \u0007' }),
      );
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(first, { shape: SHAPE })]));
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b', { playback: 'signed' }));
      await subject.made.registry.release(releaseOf(second, 'moving'));
      const address = { ...addressOf('c'), public: 'https://c.example' };
      const third = await subject.granted(
        claimBy('c', { address, playback: 'signed', title: 'A "title" with ✓ and \\ and \u0007' }),
      );
      expect(await subject.made.registry.resolve(SHOW)).toEqual({
        v: 1,
        streamId: SHOW,
        sessionId: first.sessionId,
        epoch: third.epoch,
        state: 'live',
        startedAtMs: first.startedAtMs,
        serverId: 'c',
        address,
        previous: [
          { epoch: second.epoch, address: addressOf('b') },
          { epoch: first.epoch, address: addressOf('a') },
        ],
        playback: 'signed',
        renditions: ['360p'],
        title: 'A "title" with ✓ and \\ and \u0007',
      });
    });

    test('remembers eight owners at most', async () => {
      for (let index = 0; index < 12; index += 1) await subject.granted(claimBy('a'));
      expect((await subject.made.registry.resolve(SHOW))?.previous).toHaveLength(8);
    });

    test('finds a dead owner long after the window, and an ended stream for some minutes', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.advance(600_000);
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ serverId: 'a', state: 'live' });
      await subject.made.registry.release(releaseOf(grant, 'ended'));
      await subject.made.advance(300_000);
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ state: 'ended' });
      await subject.made.advance(400_000);
      expect(await subject.made.registry.resolve(SHOW)).toBeUndefined();
    });

    test('a publisher that wants its stream signed does not go on with a public session', async () => {
      const first = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b', { playback: 'signed' }));
      expect(second).toMatchObject({ resumed: false, playback: 'signed' });
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({
        playback: 'signed',
        sessionId: second.sessionId,
      });
    });

    test('a signed session stays signed', async () => {
      const first = await subject.granted(claimBy('a', { playback: 'signed' }));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(first, { playback: 'public' })]));
      expect((await subject.made.registry.resolve(SHOW))?.playback).toBe('signed');
      await subject.made.registry.release(releaseOf(first, 'moving'));
      expect(await subject.granted(claimBy('b'))).toMatchObject({ resumed: true, playback: 'signed' });
      expect((await subject.made.registry.resolve(SHOW))?.playback).toBe('signed');
    });
  });

  describe("at a person's word", () => {
    test('lists the streams that are reported and have not ended', async () => {
      const show = await subject.granted(claimBy('a'));
      const streamId = 'another' as StreamId;
      const another = await subject.granted(claimBy('b', { streamId }));
      const gone = await subject.granted(claimBy('c', { streamId: 'gone' as StreamId }));
      await subject.made.registry.heartbeat(heartbeatOf('c', [reportOf(gone, { streamId: 'gone' as StreamId })]));
      await subject.made.advance(10_500);
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(show)]));
      await subject.made.registry.heartbeat(heartbeatOf('b', [reportOf(another, { streamId })]));
      const list = async () => (await subject.made.registry.streams()).map((record) => record.streamId);
      expect(await list()).toEqual(['another', 'show']);
      await subject.made.registry.stop(streamId, 'ended');
      expect(await list()).toEqual(['show']);
    });

    test('ends a session: its owner is told why until it stops, and the next claim is a new session', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
      expect(await subject.made.registry.stop(SHOW, 'revoked')).toBe(true);
      expect(await subject.made.registry.stop(SHOW, 'ended')).toBe(false);
      expect((await subject.made.registry.resolve(SHOW))?.state).toBe('ended');
      for (let index = 0; index < 2; index += 1) {
        const reply = await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
        expect(reply.lost).toEqual([{ streamId: SHOW, epoch: grant.epoch, reason: 'revoked' }]);
      }
      await subject.made.advance(2_500);
      const next = await subject.granted(claimBy('a'));
      expect(next.resumed).toBe(false);
      expect(next.carryOn.nextMsn).toBeGreaterThanOrEqual(grant.carryOn.nextMsn + 3 + 2);
      const reply = await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(next)]));
      expect(reply.lost).toEqual([]);
      expect(await subject.made.registry.stop('nothing' as StreamId, 'ended')).toBe(false);
    });

    test('has a server drain', async () => {
      expect(await subject.made.registry.drain('nobody', true)).toBe(false);
      await subject.made.registry.heartbeat(heartbeatOf('a', []));
      expect(await subject.made.registry.drain('a', true)).toBe(true);
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', []))).drain).toBe(true);
      expect((await subject.made.registry.heartbeat(heartbeatOf('b', []))).drain).toBe(false);
      expect(await subject.made.registry.drain('a', false)).toBe(true);
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', []))).drain).toBe(false);
    });
  });

  describe('emptied', () => {
    test('claims wait until heartbeats have restored the living', async () => {
      const grant = await subject.granted(claimBy('a', { playback: 'signed' }));
      await subject.made.empty();
      const wait = await subject.made.registry.claim(claimBy('b'));
      if (wait.outcome !== 'wait') throw new Error('wanted to wait');
      expect(wait.retryAfterMs).toBeGreaterThan(4_000);
      await subject.made.advance(3_000);
      const report = reportOf(grant, { playback: 'signed', shape: SHAPE, nextMsn: grant.carryOn.nextMsn + 40 });
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', [report]))).lost).toEqual([]);
      expect(await subject.made.registry.claim(claimBy('b'))).toMatchObject({
        outcome: 'owned',
        ownerEpoch: grant.epoch,
      });
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({
        epoch: grant.epoch,
        sessionId: grant.sessionId,
        playback: 'signed',
        renditions: ['360p'],
      });
      await subject.made.registry.release(releaseOf(grant, 'moving', { report }));
      const next = await subject.granted(claimBy('b'));
      expect(next.carryOn.nextMsn).toBe(grant.carryOn.nextMsn + 40);
      expect(next.epoch).toBeGreaterThan(grant.epoch);
    });

    test('an unknown stream is granted once the wait is over', async () => {
      await subject.made.empty();
      expect(await subject.made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'wait' });
      await subject.made.advance(5_100);
      expect(await subject.made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'granted' });
    });

    test('the newer of two owners that report wins, in either order', async () => {
      const first = await subject.granted(claimBy('a'));
      await subject.made.registry.release(releaseOf(first, 'moving'));
      const second = await subject.granted(claimBy('b'));
      await subject.made.empty();
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(first)]))).lost).toEqual([]);
      expect((await subject.made.registry.heartbeat(heartbeatOf('b', [reportOf(second)]))).lost).toEqual([]);
      expect((await subject.made.registry.heartbeat(heartbeatOf('a', [reportOf(first)]))).lost).toHaveLength(1);
      expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ epoch: second.epoch, serverId: 'b' });
    });

    test('a release keeps its numbers although nothing else is known', async () => {
      const grant = await subject.granted(claimBy('a'));
      await subject.made.empty();
      const nextMsn = grant.carryOn.nextMsn + 1_000;
      const epoch = (grant.epoch + 50_000) as Epoch;
      const report = reportOf(grant, { nextMsn, epoch });
      await subject.made.registry.release({ ...releaseOf(grant, 'ended', { report }), epoch });
      await subject.made.registry.heartbeat(heartbeatOf('b', []));
      await subject.made.advance(5_100);
      const next = await subject.granted(claimBy('b'));
      expect(next.epoch).toBeGreaterThan(epoch);
      expect(next.carryOn.nextMsn).toBeGreaterThanOrEqual(nextMsn);
    });
  });

  test('an epoch from a lost registry wins over what is known', async () => {
    const grant = await subject.granted(claimBy('a'));
    const epoch = (grant.epoch + 10) as Epoch;
    const sessionId = '01KAP0000000000000000000ZZ' as SessionId;
    expect(
      (await subject.made.registry.heartbeat(heartbeatOf('b', [reportOf(grant, { epoch, sessionId })]))).lost,
    ).toEqual([]);
    expect(await subject.made.registry.resolve(SHOW)).toMatchObject({ serverId: 'b', epoch, sessionId, previous: [] });
  });
}
