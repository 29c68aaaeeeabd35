import { describe, expect, test } from 'vitest';
import { ConnectionTable } from './connection_table.ts';
import type { TableEntry } from './connection_table.ts';

const LIMITS = { connections: 4, pendingConnections: 3, connectionsPerAddress: 2, limitLoopback: false };

interface Entry extends TableEntry {
  pending: boolean;
  displaceable: boolean;
  displaced: boolean;
}

function entry(address: string | undefined, state: 'waiting' | 'authorising' | 'live' = 'waiting'): Entry {
  return {
    address,
    pending: state !== 'live',
    displaceable: state === 'waiting',
    displaced: false,
    displace() {
      this.displaced = true;
    },
  };
}

describe('connection table', () => {
  test('the oldest that has not asked to publish makes room for a newcomer', () => {
    const table = new ConnectionTable<Entry>(LIMITS);
    const all = [entry('127.0.0.1', 'authorising'), entry('127.0.0.1'), entry('127.0.0.1'), entry('127.0.0.1')];
    expect(all.map((one) => table.admit(one))).toStrictEqual(['admitted', 'admitted', 'admitted', 'admitted']);
    expect(all.map((one) => one.displaced)).toStrictEqual([false, true, false, false]);
    expect(table.size).toBe(3);
  });

  test('nobody who publishes is displaced', () => {
    const table = new ConnectionTable<Entry>(LIMITS);
    for (let index = 0; index < 4; index += 1) table.admit(entry('127.0.0.1', 'live'));
    expect(table.admit(entry('127.0.0.1'))).toBe('connections');
  });

  test('an address has its own limit, loopback has not', () => {
    const table = new ConnectionTable<Entry>(LIMITS);
    table.admit(entry('192.0.2.1', 'live'));
    const waiting = entry('192.0.2.1');
    table.admit(waiting);
    expect(table.admit(entry('192.0.2.1'))).toBe('admitted');
    expect(waiting.displaced).toBe(true);
    const full = new ConnectionTable<Entry>(LIMITS);
    full.admit(entry('192.0.2.1', 'live'));
    full.admit(entry('192.0.2.1', 'live'));
    expect(full.admit(entry('192.0.2.1'))).toBe('address');
    expect(full.admit(entry('192.0.2.2'))).toBe('admitted');
  });

  test('an address that is known later is checked then', () => {
    const table = new ConnectionTable<Entry>(LIMITS);
    table.admit(entry('192.0.2.1', 'live'));
    table.admit(entry('192.0.2.1', 'live'));
    const late = entry('192.0.2.1');
    expect(table.admitAddress(late)).toBe(false);
  });
});
