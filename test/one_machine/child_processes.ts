/**
 * The child processes of a process, from /proc: what a server has started, and with which arguments.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Process ids of the direct children that still run; those that have died and were not yet waited for are left out. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((child) => {
      // `pid (name) state ppid …`; the name may hold spaces and brackets (proc(5)).
      const [state, parent] = read(`/proc/${child}/stat`).split(') ').at(-1)?.split(' ') ?? [];
      return Number(parent) === pid && state !== 'Z';
    });
}

/** The arguments, one per line; empty when the process is gone. */
export function commandLineOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', '\n');
}

/** A process may go away while it is looked at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
