import { expect, test } from 'vitest';
import { leaveFleet } from './leave_fleet.ts';
import { FakeClock } from './testing/fake_clock.ts';

function start(readyPeers: number, streams: number) {
  const clock = new FakeClock();
  const done: string[] = [];
  const hub = {
    readyPeers,
    empty: false,
    liveStreams: Array.from({ length: streams }, () => ({}) as never),
    handOver: async (spreadMs: number) => {
      done.push(`handed over within ${spreadMs}`);
    },
  };
  const close = async (how: string, lingerMs: number) => {
    done.push(`closed: ${how}, ${lingerMs} ms later, at ${clock.monotonicMs()}`);
  };
  const begunAtMs = clock.monotonicMs();
  const leaving = leaveFleet({ hub, clock, close });
  return { clock, hub, done, leaving, begunAtMs };
}

test('a server that is alone ends its shows', async () => {
  const { done, leaving, begunAtMs } = start(0, 3);
  await leaving;
  expect(done).toEqual([`closed: ended, 6000 ms later, at ${begunAtMs}`]);
});

test('one among others hands its streams over within half a minute, and is gone before its time is up', async () => {
  const { clock, done, leaving, begunAtMs } = start(1, 100);
  await clock.pass(99_000);
  expect(done).toEqual(['handed over within 30000']);
  await clock.pass(2000);
  await leaving;
  expect(done[1]).toBe(`closed: moved, 0 ms later, at ${begunAtMs + 100_000}`);
});

test('one that has nothing left to serve goes at once', async () => {
  const { clock, hub, done, leaving } = start(1, 2);
  await clock.pass(3000);
  hub.empty = true;
  await clock.pass(1000);
  await leaving;
  expect(done).toHaveLength(2);
  expect(done[0]).toBe('handed over within 4000');
});
