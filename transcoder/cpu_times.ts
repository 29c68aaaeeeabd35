/**
 * CPU time of this machine, and what of it this process and its FFmpegs took (proc(5)); where there is no /proc, the
 * latter is this process's alone.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** All in ms since some start; they only rise. */
export interface CpuTimes {
  /** Of all CPUs, by anybody. */
  readonly busyMs: number;
  readonly totalMs: number;
  /** By this process and its children. */
  readonly ownMs: number;
}

/** USER_HZ, which Linux fixes for user space. */
const TICK_MS = 10;

/** @returns what reads the times; children count from when they are first seen */
export function createCpuTimes(): () => CpuTimes {
  const seen = new Map<string, number>();
  let childrenMs = 0;
  return () => {
    const children = read(`/proc/self/task/${process.pid}/children`).split(' ').filter(Boolean);
    for (const pid of seen.keys()) if (!children.includes(pid)) seen.delete(pid);
    for (const pid of children) {
      const usedMs = timeOf(pid);
      childrenMs += usedMs - (seen.get(pid) ?? usedMs);
      seen.set(pid, usedMs);
    }
    const { user, system } = process.cpuUsage();
    return { ...machineTimes(), ownMs: (user + system) / 1000 + childrenMs };
  };
}

function machineTimes(): Pick<CpuTimes, 'busyMs' | 'totalMs'> {
  let idleMs = 0;
  let totalMs = 0;
  for (const { times } of cpus()) {
    idleMs += times.idle;
    totalMs += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { busyMs: totalMs - idleMs, totalMs };
}

/** utime and stime, fields 14 and 15; the name before them may hold spaces and brackets. */
function timeOf(pid: string): number {
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
}

/** Empty where there is no such file: another system, or a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return '';
    throw error;
  }
}
