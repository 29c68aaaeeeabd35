/**
 * CPU and memory of running processes, as Linux counts them (proc(5)).
 */
import { readFileSync } from 'node:fs';

/** The kernel's clock ticks per second, USER_HZ: 100 on every Linux that runs Node. */
const TICKS_PER_SECOND = 100;

export interface CpuSeconds {
  /** Of the process itself, user and system. */
  readonly own: number;
  /** Of its children that have ended and were waited for. */
  readonly children: number;
}

/** @throws when the process is gone */
export function cpuSeconds(pid: number): CpuSeconds {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name stands in brackets and may hold spaces: count from behind it. utime is field 14.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number): number => Number(fields[field - 3]) / TICKS_PER_SECOND;
  return { own: seconds(14) + seconds(15), children: seconds(16) + seconds(17) };
}

/** Resident memory, MiB. @throws when the process is gone */
export function residentMiB(pid: number): number {
  const match = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1024;
}
