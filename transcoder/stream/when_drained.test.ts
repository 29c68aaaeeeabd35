import { expect, test } from 'vitest';
import { FakeClock } from './testing/fake_clock.ts';
import { whenDrained } from './when_drained.ts';

test('a drained server is done a minute after its last show, unless the drain is taken back', async () => {
  const clock = new FakeClock();
  const hub = { draining: false, empty: true };
  let done = false;
  void whenDrained(hub, clock).then(() => (done = true));
  await clock.pass(300_000);
  hub.draining = true;
  await clock.pass(50_000);
  hub.draining = false;
  await clock.pass(1000);
  hub.draining = true;
  hub.empty = false;
  await clock.pass(300_000);
  hub.empty = true;
  await clock.pass(59_000);
  expect(done).toBe(false);
  await clock.pass(3000);
  expect(done).toBe(true);
});
