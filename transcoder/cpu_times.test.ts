import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createCpuTimes } from './cpu_times.ts';

test('what this process burns is counted for it and for the machine', () => {
  const times = createCpuTimes();
  const before = times();
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs) Math.sqrt(untilMs);
  const after = times();
  expect(after.ownMs - before.ownMs).toBeGreaterThan(50);
  expect(after.totalMs).toBeGreaterThan(before.totalMs);
  expect(after.busyMs).toBeGreaterThan(before.busyMs);
});

test.runIf(process.platform === 'linux')('a child that ends takes nothing back', async () => {
  const times = createCpuTimes();
  const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const first = times().ownMs;
  await new Promise((resolve) => setTimeout(resolve, 400));
  const second = times().ownMs;
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(times().ownMs).toBeGreaterThanOrEqual(second);
  expect(second).toBeGreaterThan(first);
});
