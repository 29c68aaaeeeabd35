import { describe, expect, it } from 'vitest';
import { parseEpoch, parseStreamId } from '../../contracts/ids.ts';
import type { StreamRecord } from '../../contracts/registry.ts';
import { RegistryUnavailable, StreamLookup } from './stream_lookup.ts';
import { ManualClock } from './testing/manual_clock.ts';
import { STREAM_ID, record } from './testing/scripted_edge.ts';

function lookupOver(answer: () => Promise<StreamRecord | undefined>) {
  const clock = new ManualClock();
  let asked = 0;
  const lookup = new StreamLookup({
    resolve: async () => {
      asked += 1;
      return answer();
    },
    monotonicMs: clock.monotonicMs,
    after: clock.after,
    shareWork: true,
    onFailure: () => undefined,
  });
  return { clock, lookup, asked: () => asked };
}

describe('StreamLookup', () => {
  it('asks once for all who ask at once, and remembers for a second', async () => {
    const { clock, lookup, asked } = lookupOver(async () => Promise.resolve(record()));
    await Promise.all(Array.from({ length: 50 }, async () => lookup.find(STREAM_ID)));
    await clock.advance(999);
    await lookup.find(STREAM_ID);
    expect(asked()).toBe(1);
    await clock.advance(1);
    await lookup.find(STREAM_ID);
    expect(asked()).toBe(2);
  });

  it('remembers for a second that there is no such stream', async () => {
    const { clock, lookup, asked } = lookupOver(async () => Promise.resolve(undefined));
    expect(await lookup.find(parseStreamId('nobody'))).toBeUndefined();
    expect(await lookup.find(parseStreamId('nobody'))).toBeUndefined();
    expect(asked()).toBe(1);
    await clock.advance(1000);
    await lookup.find(parseStreamId('nobody'));
    expect(asked()).toBe(2);
  });

  it('gives the last known answer while the registry is down', async () => {
    let isDown = false;
    const { clock, lookup } = lookupOver(async () => {
      if (isDown) throw new Error('down');
      return Promise.resolve(record());
    });
    await lookup.find(STREAM_ID);
    isDown = true;
    await clock.advance(3_600_000);
    expect((await lookup.find(STREAM_ID))?.epoch).toBe(5);
    await expect(lookup.find(parseStreamId('other'))).rejects.toBeInstanceOf(RegistryUnavailable);
    await expect(lookup.find(parseStreamId('other'))).rejects.toBeInstanceOf(RegistryUnavailable);
  });

  it('waits 300 ms for a slow registry when it has an answer, once', async () => {
    let slow = false;
    const { clock, lookup, asked } = lookupOver(async () => (slow ? new Promise(() => undefined) : record()));
    await lookup.find(STREAM_ID);
    slow = true;
    await clock.advance(1000);
    let found: StreamRecord | undefined;
    void lookup.find(STREAM_ID).then((answer) => (found = answer));
    await clock.advance(299);
    expect(found).toBeUndefined();
    await clock.advance(1);
    expect(found?.epoch).toBe(5);
    expect((await lookup.find(STREAM_ID))?.epoch).toBe(5);
    expect(asked()).toBe(2);
  });

  it('never goes back to an older epoch, from the registry or below what a playlist showed', async () => {
    let epochNumber = 5;
    const { clock, lookup } = lookupOver(async () =>
      Promise.resolve(record({ epochNumber, serverId: `s${epochNumber}` })),
    );
    await lookup.find(STREAM_ID);
    epochNumber = 4;
    await clock.advance(1000);
    expect((await lookup.find(STREAM_ID))?.serverId).toBe('s5');
    lookup.sawEpoch(STREAM_ID, parseEpoch(7));
    epochNumber = 6;
    await clock.advance(1000);
    expect((await lookup.find(STREAM_ID))?.serverId).toBe('s5');
    epochNumber = 7;
    await clock.advance(1000);
    expect((await lookup.find(STREAM_ID))?.serverId).toBe('s7');
  });

  it('does not believe at once that a live stream is gone: the registry may have been emptied', async () => {
    let isThere = true;
    const { clock, lookup } = lookupOver(async () =>
      Promise.resolve(isThere ? record({ playback: 'signed' }) : undefined),
    );
    await lookup.find(STREAM_ID);
    isThere = false;
    await clock.advance(29_000);
    expect(await lookup.find(STREAM_ID)).toBeDefined();
    await clock.advance(1000);
    expect(await lookup.find(STREAM_ID)).toBeUndefined();
    expect(lookup.policy(STREAM_ID)).toBe('signed');
  });

  it('is not made to forget a live stream by guesses', async () => {
    let isDown = false;
    const { clock, lookup } = lookupOver(async () => {
      if (isDown) throw new Error('down');
      return Promise.resolve(asked() === 1 ? record() : undefined);
    });
    const asked = (
      (count) => () =>
        (count += 1)
    )(0);
    await lookup.find(STREAM_ID);
    for (let guess = 0; guess < 10_100; guess += 1) await lookup.find(parseStreamId(`guess-${guess}`));
    isDown = true;
    await clock.advance(5000);
    expect(await lookup.find(STREAM_ID)).toBeDefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
