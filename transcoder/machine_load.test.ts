import { expect, test } from 'vitest';
import type { CpuTimes } from './cpu_times.ts';
import { MachineLoad } from './machine_load.ts';
import { FakeClock } from './stream/testing/fake_clock.ts';

function start(memory = 2 ** 33) {
  const clock = new FakeClock();
  const cpu = { busyMs: 0, totalMs: 0, ownMs: 0 };
  const load = new MachineLoad({ clock, cpuTimes: (): CpuTimes => ({ ...cpu }), availableMemory: () => memory });
  const pass = async (seconds: number, share: number, own = share): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      cpu.busyMs += 2000 * share;
      cpu.ownMs += 2000 * own;
      cpu.totalMs += 2000;
      await clock.pass(1000);
    }
  };
  return { load, pass };
}

test('is known after ten seconds, and follows what the last ten were', async () => {
  const { load, pass } = start();
  await pass(9, 1);
  expect(load.exhaustedBy(8)).toBeUndefined();
  await pass(1, 1);
  expect(load.exhaustedBy(10)).toBe('100 % of the CPU are in use, and a stream takes 10 %');
  expect(load.isRoomy).toBe(false);
  await pass(5, 0);
  expect(load.busyShare).toBeCloseTo(0.5);
  expect([load.exhaustedBy(8), load.isRoomy]).toEqual([undefined, true]);
});

test('another stream like those that run has to fit', async () => {
  const { load, pass } = start();
  await pass(11, 0.66);
  expect(load.exhaustedBy(2)).toBe('66 % of the CPU are in use, and a stream takes 33 %');
  expect(load.exhaustedBy(6)).toBeUndefined();
});

test('too little memory is told', () => {
  expect(start(50 * 2 ** 20).load.exhaustedBy(1)).toBe('50 MiB of memory are left');
});

test('a machine that others keep busy is no reason to refuse', async () => {
  const { load, pass } = start();
  await pass(20, 1, 0.3);
  expect(load.exhaustedBy(4)).toBeUndefined();
  expect(load.isRoomy).toBe(false);
  await pass(10, 1, 0.7);
  expect(load.exhaustedBy(7)).toBe('100 % of the CPU are in use, and a stream takes 10 %');
});
