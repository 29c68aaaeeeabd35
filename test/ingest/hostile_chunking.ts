/** Hostile inputs in the chunk layer (RTMP 1.0 sections 5.3 and 5.4). */
import { closed, live } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';

function hostile(name: string, steps: readonly Step[], stock: StockOutcome, expect: Expectation = closed): HostileCase {
  return { name, class: 'chunking', key: 'bad', steps: () => [rtmp.handshake(), ...steps], expect, stock };
}

function publisher(name: string, steps: readonly Step[], tags: number, stock: StockOutcome): HostileCase {
  return {
    name,
    class: 'chunking',
    key: 'good',
    steps: (key) => [rtmp.publishing(key), ...steps],
    expect: live(tags),
    stock,
  };
}

function* manyStreams(count: number): Iterable<Buffer> {
  for (let csid = 64; csid < 64 + count; csid += 1) yield rtmp.message({ type: 99, csid, body: Buffer.alloc(1) });
}

const control = (type: number, body: Buffer): Buffer => rtmp.message({ type, csid: 2, body });
const openMessage = (csid: number): Buffer =>
  Buffer.concat([rtmp.type0Header({ type: 20, csid, length: 1000 }), Buffer.alloc(128)]);

/** One video message in chunks of 128 bytes; the chunk size changes to 100 behind the first. */
function resizedInside(): Buffer {
  const body = rtmp.videoBody(300);
  return Buffer.concat([
    rtmp.type0Header({ type: 9, csid: 6, messageStreamId: 1, length: 300 }),
    body.subarray(0, 128),
    rtmp.setChunkSize(100),
    ...[128, 228].flatMap((at) => [rtmp.basicHeader(3, 6), body.subarray(at, Math.min(at + 100, 300))]),
  ]);
}

export const CHUNKING_CASES: readonly HostileCase[] = [
  hostile('5,000 chunk streams', [(): Iterable<Buffer> => manyStreams(5000)], 'accepts'),
  hostile(
    'unfinished messages on 40 chunk streams',
    [
      Buffer.concat(
        Array.from({ length: 40 }, (_, n) =>
          rtmp.message({ type: 20, csid: 10 + n, body: Buffer.alloc(100), declaredLength: 60_000 }),
        ),
      ),
    ],
    'accepts',
  ),
  hostile('chunk size 0', [rtmp.setChunkSize(0), rtmp.connect()], 'accepts'),
  hostile('chunk size 2^31', [rtmp.setChunkSize(0x80000000)], 'accepts'),
  hostile('chunk size in 2 bytes', [control(1, Buffer.alloc(2))], 'accepts'),
  hostile('empty window acknowledgement size', [control(5, Buffer.alloc(0)), rtmp.connect()], 'dies'),
  hostile('abort in 1 byte', [control(2, Buffer.alloc(1))], 'accepts'),
  hostile('empty user control message', [control(4, Buffer.alloc(0)), rtmp.connect()], 'accepts'),
  hostile('control message of 64 KiB', [control(3, Buffer.alloc(65_536))], 'accepts'),
  hostile('type 3 on a new chunk stream', [rtmp.basicHeader(3, 9), Buffer.alloc(64)], 'accepts'),
  hostile('type 2 on a new chunk stream', [rtmp.basicHeader(2, 9), rtmp.u24(0), Buffer.alloc(64)], 'accepts'),
  hostile('type 0 inside an open message', [openMessage(3), rtmp.connect()], 'accepts'),
  hostile('a command of 16 MiB', [rtmp.type0Header({ type: 20, length: 0xffffff }), Buffer.alloc(1000)], 'accepts'),
  hostile(
    'a cut-off extended timestamp, then FIN',
    [rtmp.type0Header({ type: 9, length: 10, timestamp: 0xffffff }).subarray(0, 13), 'fin'],
    'survives: it ends with the socket',
  ),
  publisher(
    'chunk size changes inside a message',
    [resizedInside(), rtmp.setChunkSize(128), rtmp.video(40)],
    2,
    'loses',
  ),
  publisher(
    'messages of unknown types',
    [
      rtmp.message({ type: 99, csid: 9, body: Buffer.alloc(50) }),
      rtmp.message({ type: 0, csid: 9, body: Buffer.alloc(5) }),
      rtmp.video(),
    ],
    1,
    'survives: it ignores them too',
  ),
  publisher(
    'media on chunk streams 319, 320 and 65,599',
    [
      Buffer.concat(
        [319, 320, 65_599].map((csid) => rtmp.message({ type: 9, csid, messageStreamId: 1, body: rtmp.videoBody() })),
      ),
    ],
    3,
    'survives: its wrong ids happen not to collide here',
  ),
];
