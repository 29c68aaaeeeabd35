/** Hostile inputs at and around the handshake (RTMP 1.0 section 5.2). */
import { closed } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import { basicHeader, bytes, c0c1, handshake } from './rtmp_bytes.ts';

function hostile(name: string, steps: readonly Step[], stock: StockOutcome, expect: Expectation = closed): HostileCase {
  return { name, class: 'handshake', key: 'bad', steps: () => steps, expect, stock };
}

function* drip(data: Buffer): Iterable<Buffer> {
  for (const byte of data) yield bytes(byte);
}

export const HANDSHAKE_CASES: readonly HostileCase[] = [
  hostile('version 6 (RTMPE)', [c0c1(6)], 'accepts'),
  hostile('an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')], 'accepts'),
  hostile(
    'a TLS client hello',
    [Buffer.concat([bytes(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), Buffer.alloc(505, 7)])],
    'accepts',
  ),
  hostile(
    'PROXY protocol version 1',
    [Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 1935\r\n'), handshake()],
    'accepts',
  ),
  hostile('a megabyte of zeros', [Buffer.alloc(1 << 20)], 'accepts'),
  hostile('silence', [], 'accepts'),
  hostile('C0 alone', [bytes(3)], 'accepts'),
  hostile('half of C1', [c0c1().subarray(0, 700)], 'accepts'),
  hostile('no C2', [c0c1()], 'accepts'),
  hostile('one byte at a time', [(): Iterable<Buffer> => drip(c0c1().subarray(0, 60)), { pauseMs: 400 }], 'accepts'),
  hostile('silence after the handshake', [handshake()], 'accepts'),
  hostile('a reset inside C1', [c0c1().subarray(0, 700), 'reset'], 'survives: nothing was allocated yet', {
    outcome: 'left',
  }),
  hostile('noise after the handshake', [handshake(), Buffer.alloc(4096, 0xc7)], 'accepts'),
  hostile(
    'a chunk header behind the handshake, then FIN',
    [handshake(), basicHeader(0, 3), 'fin'],
    'survives: it ends with the socket',
  ),
];
