import { expect, it } from 'vitest';
import { waitAtMost } from './after.ts';
import { ManualClock, settle } from './testing/manual_clock.ts';

it.each([
  ['is done', async () => Promise.resolve()],
  ['has failed', async () => Promise.reject(new Error('in vain'))],
])('waits no longer once the work %s, and leaves no timer behind', async (_, work) => {
  const clock = new ManualClock();
  let isOver = false;
  void waitAtMost(clock.after, 1000, work()).then(() => (isOver = true));
  await settle();
  expect([isOver, clock.pendingTimers]).toEqual([true, 0]);
});

it('waits no longer than it was told', async () => {
  const clock = new ManualClock();
  let isOver = false;
  void waitAtMost(clock.after, 1000, new Promise(() => undefined)).then(() => (isOver = true));
  await clock.advance(999);
  expect(isOver).toBe(false);
  await clock.advance(1);
  expect(isOver).toBe(true);
});
