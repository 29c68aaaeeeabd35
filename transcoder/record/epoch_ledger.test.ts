import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import type { IndexEntry } from '../../contracts/recording.ts';
import { EpochLedger } from './epoch_ledger.ts';
import type { UploadOutcome } from './upload.ts';

const session = { streamId: 'show' as StreamId, sessionId: '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId };
const rendition = '720p' as RenditionName;
const sha256 = 'a'.repeat(64);
const entry = (msn: number): IndexEntry => ({ msn, duration: 2, pdt: msn * 2000, size: 100, sha256 });
const gap = (msn: number): IndexEntry => ({ msn, duration: 2, pdt: msn * 2000 });

describe('the ledger of an epoch', () => {
  it('names what is stored, up to the first that is on its way', () => {
    const ledger = new EpochLedger(session, 7 as Epoch);
    expect(ledger.content()).toBeUndefined();
    ledger.initKnown(rendition, { size: 9, sha256 });
    const settle = [1, 2, 3, 4].map((msn) => ledger.expect(rendition, entry(msn)));
    settle[0]?.('stored');
    settle[2]?.('stored');
    expect(ledger.pending).toBe(2);
    expect(ledger.content()).toEqual({
      v: 1,
      ...session,
      epoch: 7,
      serial: 0,
      inits: { '720p': { size: 9, sha256 } },
      entries: { '720p': [entry(1)] },
    });
    settle[1]?.('lost');
    settle[3]?.('stored');
    expect(ledger.content()?.entries).toEqual({ '720p': [entry(1), gap(2), entry(3), entry(4)] });
  });

  it('sealed indexes and the last one together say each segment once, in order, whatever the order of uploads', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(40), seal: fc.boolean(), lost: fc.boolean() }), { maxLength: 80 }),
        (steps) => {
          const ledger = new EpochLedger(session, 7 as Epoch);
          const open = Array.from({ length: 30 }, (_, index) => ({
            msn: index,
            settle: ledger.expect(rendition, entry(index)),
          }));
          const fate = new Map<number, UploadOutcome>();
          const said: IndexEntry[] = [];
          let serial = 0;
          const seal = () => {
            const index = ledger.content();
            if (index === undefined) return;
            expect(index.serial).toBe(serial);
            serial += 1;
            said.push(...(index.entries[rendition] ?? []));
            ledger.sealed(index);
          };
          for (const { at, seal: now, lost } of steps) {
            const one = open.splice(at % Math.max(1, open.length), 1)[0];
            if (one !== undefined) {
              fate.set(one.msn, lost ? 'lost' : 'stored');
              one.settle(lost ? 'lost' : 'stored');
            }
            if (now) seal();
          }
          for (const { settle } of open) settle('stored');
          seal();
          expect(said).toEqual(
            Array.from({ length: 30 }, (_, msn) => (fate.get(msn) === 'lost' ? gap(msn) : entry(msn))),
          );
        },
      ),
    );
  });
});
