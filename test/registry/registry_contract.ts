/**
 * What every implementation of the registry must do, by the rules of docs/architecture.md. Runs over memory, Redis
 * alone, Redis with TLS and a Redis cluster.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatRequest,
  ReleaseRequest,
  StreamReport,
} from '../../contracts/registry.ts';
import type { MakeRegistry, RegistryUnderTest } from './registry_under_test.ts';

type Granted = Extract<ClaimReply, { outcome: 'granted' }>;

const SHOW = 'show' as StreamId;
const SHAPE = {
  renditions: [
    { name: '360p' as RenditionName, codecs: 'avc1.4d401e,mp4a.40.2', bandwidth: 1_000_000, averageBandwidth: 900_000 },
  ],
  targetDuration: 2,
  partTarget: 0.5,
};

const addressOf = (serverId: string) => ({ private: `http://${serverId}.internal:8000` });

let claims = 0;
function claimBy(serverId: string, more: Partial<ClaimRequest> = {}): ClaimRequest {
  claims += 1;
  return {
    streamId: SHOW,
    serverId,
    claimId: `claim-${claims}-${serverId}`,
    address: addressOf(serverId),
    playback: 'public',
    record: 'all',
    ...more,
  };
}

function reportOf(grant: Granted, more: Partial<StreamReport> = {}): StreamReport {
  return {
    streamId: SHOW,
    epoch: grant.epoch,
    sessionId: grant.sessionId,
    startedAtMs: grant.startedAtMs,
    state: 'live',
    nextMsn: grant.carryOn.nextMsn,
    discontinuitySequence: grant.carryOn.discontinuitySequence,
    programDateTimeEndMs: grant.carryOn.programDateTimeEndMs,
    playback: 'public',
    record: 'all',
    mediaAgeMs: 0,
    ...more,
  };
}

let sequence = 0;
function heartbeatOf(serverId: string, streams: readonly StreamReport[], more: Partial<HeartbeatRequest> = {}) {
  sequence += 1;
  return {
    serverId,
    seq: sequence,
    address: addressOf(serverId),
    ingest: `${serverId}.internal:1935`,
    capacity: { streams: streams.length, maxStreams: 10, ready: true, draining: false },
    streams: [...streams],
    ...more,
  };
}

function releaseOf(
  grant: Granted,
  reason: ReleaseRequest['reason'],
  more: Partial<ReleaseRequest> = {},
): ReleaseRequest {
  return { streamId: SHOW, epoch: grant.epoch, reason, report: reportOf(grant), ...more };
}

export function registryContract(name: string, makeRegistry: MakeRegistry): void {
  describe(`the registry, ${name}`, () => {
    let made: RegistryUnderTest;

    beforeEach(async () => {
      made = await makeRegistry();
      await made.registry.heartbeat(
        heartbeatOf('bystander', [], { capacity: { streams: 0, maxStreams: 0, ready: false, draining: false } }),
      );
      await made.advance(5_001);
    });
    afterEach(async () => {
      await made.close();
    });

    async function granted(request: ClaimRequest): Promise<Granted> {
      const reply = await made.registry.claim(request);
      if (reply.outcome !== 'granted') throw new Error(`wanted a grant, got ${JSON.stringify(reply)}`);
      return reply;
    }

    describe('claim', () => {
      test('of an unknown stream: a new session, numbered by the clock', async () => {
        const before = await made.nowMs();
        const grant = await granted(claimBy('a'));
        const after = await made.nowMs();
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
        const first = await granted(request);
        expect(await made.registry.claim(request)).toEqual(first);
        await made.advance(1_000);
        await made.registry.release(releaseOf(first, 'moving'));
        expect(await made.registry.claim(request)).toEqual(first);
        const second = await granted(claimBy('b'));
        expect(await made.registry.claim(request)).toEqual(first);
        expect((await made.registry.resolve(SHOW))?.epoch).toBe(second.epoch);
      });

      test('of a live stream is answered with its owner, also when the lease ran out', async () => {
        const grant = await granted(claimBy('a'));
        await made.advance(2_000);
        const reply = await made.registry.claim(claimBy('b'));
        expect(reply).toMatchObject({
          outcome: 'owned',
          ownerServerId: 'a',
          ownerAddress: addressOf('a'),
          ownerEpoch: grant.epoch,
        });
        await made.advance(118_000);
        const later = await made.registry.claim(claimBy('b'));
        expect(later).toMatchObject({ outcome: 'owned', ownerEpoch: grant.epoch });
        if (later.outcome === 'owned') expect(later.leaseAgeMs).toBeGreaterThanOrEqual(120_000);
      });

      test("that replaces another epoch than the owner's is not granted", async () => {
        const grant = await granted(claimBy('a'));
        await made.advance(20_000);
        const other = (grant.epoch - 1) as Epoch;
        expect(await made.registry.claim(claimBy('b', { replaces: other }))).toMatchObject({ outcome: 'owned' });
      });

      test('never replaces an owner whose media is known to be fresh', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 100 })]));
        const replaces = grant.epoch;
        expect(await made.registry.claim(claimBy('b', { replaces }))).toMatchObject({ outcome: 'owned' });
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 3_100 })]));
        expect(await made.registry.claim(claimBy('b', { replaces }))).toMatchObject({ outcome: 'granted' });
      });

      test('of the owner itself restarts its encoder: same session, next epoch', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { mediaAgeMs: 0, shape: SHAPE })]));
        const again = await granted(claimBy('a'));
        expect(again).toMatchObject({ resumed: true, sessionId: grant.sessionId, startedAtMs: grant.startedAtMs });
        expect(again.epoch).toBeGreaterThan(grant.epoch);
        expect(again.carryOn.shape).toEqual(SHAPE);
      });

      test('after a crash carries on above what may have been published', async () => {
        const grant = await granted(claimBy('a'));
        const { nextMsn } = grant.carryOn;
        const report = {
          nextMsn: nextMsn + 5,
          discontinuitySequence: 3,
          programDateTimeEndMs: 1_750_000_000_123,
          shape: SHAPE,
        };
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, report)]));
        await made.advance(8_400);
        const next = await granted(claimBy('b', { replaces: grant.epoch }));
        expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId, startedAtMs: grant.startedAtMs });
        expect(next.carryOn.nextMsn - (nextMsn + 5)).toBe(9 + 2);
        expect(next.carryOn).toMatchObject({
          discontinuitySequence: 3 + 9 + 2,
          programDateTimeEndMs: 1_750_000_000_123,
          shape: SHAPE,
        });
      });

      test('long after a crash opens a new session above the old one', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { shape: SHAPE })]));
        await made.advance(71_000);
        const next = await granted(claimBy('b', { replaces: grant.epoch }));
        expect(next.resumed).toBe(false);
        expect(next.sessionId).not.toBe(grant.sessionId);
        expect(next.carryOn.nextMsn).toBeGreaterThan(grant.carryOn.nextMsn);
        expect(next.carryOn.shape).toBeUndefined();
      });
    });

    describe('release', () => {
      test('moving: the next claim is granted at once, with exact numbers', async () => {
        const grant = await granted(claimBy('a'));
        const report = reportOf(grant, { nextMsn: grant.carryOn.nextMsn + 7, discontinuitySequence: 2, shape: SHAPE });
        expect(await made.registry.release(releaseOf(grant, 'moving', { report }))).toEqual({ outcome: 'released' });
        await made.advance(4_000);
        const next = await granted(claimBy('b'));
        expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId });
        expect(next.carryOn).toMatchObject({
          nextMsn: grant.carryOn.nextMsn + 7,
          discontinuitySequence: 2,
          shape: SHAPE,
        });
      });

      test('interrupted: carries on above the gaps that may be published meanwhile', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.release(releaseOf(grant, 'interrupted'));
        expect((await made.registry.resolve(SHOW))?.state).toBe('interrupted');
        await made.advance(3_500);
        const next = await granted(claimBy('b'));
        expect(next).toMatchObject({ resumed: true, sessionId: grant.sessionId });
        expect(next.carryOn.nextMsn - grant.carryOn.nextMsn).toBe(4 + 2);
      });

      test('interrupted: the window is the one that the release names', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.release(releaseOf(grant, 'interrupted', { windowMs: 10_000 }));
        await made.advance(9_500);
        const back = await granted(claimBy('a'));
        expect(back.sessionId).toBe(grant.sessionId);
        await made.registry.release(releaseOf(back, 'interrupted', { windowMs: 10_000 }));
        await made.advance(10_500);
        const late = await granted(claimBy('a'));
        expect(late.resumed).toBe(false);
        expect(late.sessionId).not.toBe(grant.sessionId);
        expect(late.carryOn.nextMsn).toBeGreaterThanOrEqual(back.carryOn.nextMsn);
      });

      test('interrupted: neither heartbeats nor repeats make the window longer', async () => {
        const grant = await granted(claimBy('a'));
        const release = releaseOf(grant, 'interrupted', { windowMs: 10_000 });
        await made.registry.release(release);
        for (let index = 0; index < 4; index += 1) {
          await made.advance(3_000);
          await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { state: 'interrupted' })]));
          await made.registry.release(release);
        }
        expect((await granted(claimBy('b'))).resumed).toBe(false);
      });

      test('ended: the next claim opens a new session with higher numbers', async () => {
        const grant = await granted(claimBy('a'));
        const nextMsn = grant.carryOn.nextMsn + 500;
        await made.registry.release(releaseOf(grant, 'ended', { report: reportOf(grant, { nextMsn }) }));
        expect((await made.registry.resolve(SHOW))?.state).toBe('ended');
        const next = await granted(claimBy('a'));
        expect(next.resumed).toBe(false);
        expect(next.epoch).toBeGreaterThan(grant.epoch);
        expect(next.carryOn.nextMsn).toBe(nextMsn);
      });

      test('never touches a newer owner', async () => {
        const first = await granted(claimBy('a'));
        await made.registry.release(releaseOf(first, 'moving'));
        const second = await granted(claimBy('b'));
        const before = await made.registry.resolve(SHOW);
        for (const reason of ['ended', 'interrupted', 'moving'] as const) {
          expect(await made.registry.release(releaseOf(first, reason))).toEqual({ outcome: 'stale' });
        }
        expect(await made.registry.resolve(SHOW)).toEqual(before);
        expect(await made.registry.claim(claimBy('c'))).toMatchObject({ outcome: 'owned', ownerEpoch: second.epoch });
      });

      test('is not undone by a heartbeat that was under way', async () => {
        const grant = await granted(claimBy('a'));
        await made.registry.release(releaseOf(grant, 'ended'));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
        expect((await made.registry.resolve(SHOW))?.state).toBe('ended');
      });
    });

    describe('heartbeat', () => {
      test('tells a server of the streams that it lost, and leaves the newer owner alone', async () => {
        const first = await granted(claimBy('a'));
        await made.registry.release(releaseOf(first, 'moving'));
        const second = await granted(claimBy('b'));
        const reply = await made.registry.heartbeat(heartbeatOf('a', [reportOf(first, { nextMsn: 9_999_999_999 })]));
        expect(reply.lost).toEqual([{ streamId: SHOW, epoch: first.epoch, reason: 'superseded' }]);
        expect(await made.registry.resolve(SHOW)).toMatchObject({ epoch: second.epoch, serverId: 'b' });
        await made.registry.release(releaseOf(second, 'moving'));
        expect((await granted(claimBy('c'))).carryOn.nextMsn).toBe(second.carryOn.nextMsn);
      });

      test('renews the lease, keeps the shape, and MSN only rises', async () => {
        const grant = await granted(claimBy('a'));
        const { nextMsn } = grant.carryOn;
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { nextMsn: nextMsn + 9, shape: SHAPE })]));
        await made.advance(3_000);
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { nextMsn: nextMsn + 1 })]));
        const owned = await made.registry.claim(claimBy('b'));
        if (owned.outcome !== 'owned') throw new Error('wanted the owner');
        expect(owned.leaseAgeMs).toBeLessThan(1_000);
        expect((await made.registry.resolve(SHOW))?.renditions).toEqual(['360p']);
        await made.registry.release(releaseOf(grant, 'moving'));
        expect((await granted(claimBy('b'))).carryOn).toMatchObject({ nextMsn: nextMsn + 9, shape: SHAPE });
      });

      test('with a lower number than before changes nothing', async () => {
        const grant = await granted(claimBy('a'));
        const late = heartbeatOf('a', [reportOf(grant, { title: 'old' })]);
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant, { title: 'new' })]));
        await made.registry.heartbeat(late);
        expect((await made.registry.resolve(SHOW))?.title).toBe('new');
      });

      test('counts again after a silence, for a server that was started anew under its name', async () => {
        const grant = await granted(claimBy('a'));
        const early = heartbeatOf('a', [reportOf(grant, { title: 'restarted' })]);
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(grant)]));
        await made.advance(10_500);
        await made.registry.heartbeat(early);
        expect((await made.registry.resolve(SHOW))?.title).toBe('restarted');
      });

      test('of another server for the same epoch is not believed', async () => {
        const grant = await granted(claimBy('a'));
        const reply = await made.registry.heartbeat(heartbeatOf('b', [reportOf(grant)]));
        expect(reply.lost).toHaveLength(1);
        expect((await made.registry.resolve(SHOW))?.serverId).toBe('a');
      });

      test('names ready peers, least loaded first', async () => {
        const capacity = (streams: number, more = {}) => ({
          capacity: { streams, maxStreams: 10, ready: true, draining: false, ...more },
        });
        await made.registry.heartbeat(heartbeatOf('gone', [], capacity(0)));
        await made.advance(10_500);
        await made.registry.heartbeat(heartbeatOf('busy', [], capacity(8)));
        await made.registry.heartbeat(heartbeatOf('idle', [], capacity(1)));
        await made.registry.heartbeat(heartbeatOf('full', [], capacity(10)));
        await made.registry.heartbeat(heartbeatOf('leaving', [], capacity(0, { draining: true })));
        await made.registry.heartbeat(heartbeatOf('starting', [], capacity(0, { ready: false })));
        const reply = await made.registry.heartbeat(heartbeatOf('a', [], capacity(0)));
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
          reports.push(reportOf(await granted(claimBy('a', { streamId })), { streamId, title: `t"${index}` }));
        }
        expect((await made.registry.heartbeat(heartbeatOf('a', reports))).lost).toEqual([]);
        expect((await made.registry.resolve('s49' as StreamId))?.title).toBe('t"49');
      });
    });

    describe('resolve', () => {
      test('of an unknown stream: nothing', async () => {
        expect(await made.registry.resolve('nothing' as StreamId)).toBeUndefined();
      });

      test('gives the whole record, the owners before this one included, newest first', async () => {
        const first = await granted(claimBy('a', { playback: 'signed', title: 'A "title" with ✓ and \\ and \u0007' }));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(first, { shape: SHAPE })]));
        await made.registry.release(releaseOf(first, 'moving'));
        const second = await granted(claimBy('b', { playback: 'signed' }));
        await made.registry.release(releaseOf(second, 'moving'));
        const address = { ...addressOf('c'), public: 'https://c.example' };
        const third = await granted(
          claimBy('c', { address, playback: 'signed', title: 'A "title" with ✓ and \\ and \u0007' }),
        );
        expect(await made.registry.resolve(SHOW)).toEqual({
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
        for (let index = 0; index < 12; index += 1) await granted(claimBy('a'));
        expect((await made.registry.resolve(SHOW))?.previous).toHaveLength(8);
      });

      test('finds a dead owner long after the window, and an ended stream for some minutes', async () => {
        const grant = await granted(claimBy('a'));
        await made.advance(600_000);
        expect(await made.registry.resolve(SHOW)).toMatchObject({ serverId: 'a', state: 'live' });
        await made.registry.release(releaseOf(grant, 'ended'));
        await made.advance(300_000);
        expect(await made.registry.resolve(SHOW)).toMatchObject({ state: 'ended' });
        await made.advance(400_000);
        expect(await made.registry.resolve(SHOW)).toBeUndefined();
      });

      test('a publisher that wants its stream signed does not go on with a public session', async () => {
        const first = await granted(claimBy('a'));
        await made.registry.release(releaseOf(first, 'moving'));
        const second = await granted(claimBy('b', { playback: 'signed' }));
        expect(second).toMatchObject({ resumed: false, playback: 'signed' });
        expect(await made.registry.resolve(SHOW)).toMatchObject({ playback: 'signed', sessionId: second.sessionId });
      });

      test('a signed session stays signed', async () => {
        const first = await granted(claimBy('a', { playback: 'signed' }));
        await made.registry.heartbeat(heartbeatOf('a', [reportOf(first, { playback: 'public' })]));
        expect((await made.registry.resolve(SHOW))?.playback).toBe('signed');
        await made.registry.release(releaseOf(first, 'moving'));
        expect(await granted(claimBy('b'))).toMatchObject({ resumed: true, playback: 'signed' });
        expect((await made.registry.resolve(SHOW))?.playback).toBe('signed');
      });
    });

    describe('emptied', () => {
      test('claims wait until heartbeats have restored the living', async () => {
        const grant = await granted(claimBy('a', { playback: 'signed' }));
        await made.empty();
        const wait = await made.registry.claim(claimBy('b'));
        expect(wait).toMatchObject({ outcome: 'wait' });
        if (wait.outcome === 'wait') expect(wait.retryAfterMs).toBeGreaterThan(4_000);
        await made.advance(3_000);
        const report = reportOf(grant, { playback: 'signed', shape: SHAPE, nextMsn: grant.carryOn.nextMsn + 40 });
        expect((await made.registry.heartbeat(heartbeatOf('a', [report]))).lost).toEqual([]);
        expect(await made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'owned', ownerEpoch: grant.epoch });
        expect(await made.registry.resolve(SHOW)).toMatchObject({
          epoch: grant.epoch,
          sessionId: grant.sessionId,
          playback: 'signed',
          renditions: ['360p'],
        });
        await made.registry.release(releaseOf(grant, 'moving', { report }));
        const next = await granted(claimBy('b'));
        expect(next.carryOn.nextMsn).toBe(grant.carryOn.nextMsn + 40);
        expect(next.epoch).toBeGreaterThan(grant.epoch);
      });

      test('an unknown stream is granted once the wait is over', async () => {
        await made.empty();
        expect(await made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'wait' });
        await made.advance(5_100);
        expect(await made.registry.claim(claimBy('b'))).toMatchObject({ outcome: 'granted' });
      });

      test('the newer of two owners that report wins, in either order', async () => {
        const first = await granted(claimBy('a'));
        await made.registry.release(releaseOf(first, 'moving'));
        const second = await granted(claimBy('b'));
        await made.empty();
        expect((await made.registry.heartbeat(heartbeatOf('a', [reportOf(first)]))).lost).toEqual([]);
        expect((await made.registry.heartbeat(heartbeatOf('b', [reportOf(second)]))).lost).toEqual([]);
        expect((await made.registry.heartbeat(heartbeatOf('a', [reportOf(first)]))).lost).toHaveLength(1);
        expect(await made.registry.resolve(SHOW)).toMatchObject({ epoch: second.epoch, serverId: 'b' });
      });

      test('a release keeps its numbers although nothing else is known', async () => {
        const grant = await granted(claimBy('a'));
        await made.empty();
        const nextMsn = grant.carryOn.nextMsn + 1_000;
        const epoch = (grant.epoch + 50_000) as Epoch;
        const report = reportOf(grant, { nextMsn, epoch });
        await made.registry.release({ ...releaseOf(grant, 'ended', { report }), epoch });
        await made.registry.heartbeat(heartbeatOf('b', []));
        await made.advance(5_100);
        const next = await granted(claimBy('b'));
        expect(next.epoch).toBeGreaterThan(epoch);
        expect(next.carryOn.nextMsn).toBeGreaterThanOrEqual(nextMsn);
      });
    });

    test('an epoch from a lost registry wins over what is known', async () => {
      const grant = await granted(claimBy('a'));
      const epoch = (grant.epoch + 10) as Epoch;
      const sessionId = '01KAP0000000000000000000ZZ' as SessionId;
      expect((await made.registry.heartbeat(heartbeatOf('b', [reportOf(grant, { epoch, sessionId })]))).lost).toEqual(
        [],
      );
      expect(await made.registry.resolve(SHOW)).toMatchObject({ serverId: 'b', epoch, sessionId, previous: [] });
    });
  });
}
