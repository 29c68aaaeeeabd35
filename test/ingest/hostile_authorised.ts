/** Hostile media from a publisher whose key is good: that stream alone may suffer. */
import { closed, live } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';
import { amf, bytes } from './rtmp_bytes.ts';

function hostile(
  name: string,
  steps: (key: string) => readonly Step[],
  expect: Expectation,
  stock: StockOutcome,
): HostileCase {
  return {
    name,
    class: 'media-after-authorisation',
    key: 'good',
    steps: (key) => [rtmp.publishing(key), { until: 'NetStream.Publish.Start' }, ...steps(key)],
    expect,
    stock,
  };
}

const aggregate = (body: Buffer): Buffer => rtmp.message({ type: 22, csid: 6, messageStreamId: 1, body });
const deep = (depth: number): Buffer =>
  Buffer.concat([amf.string('onMetaData'), ...Array.from({ length: depth }, () => bytes(3, 0, 1, 97)), amf.null()]);

function jumps(): Buffer {
  return Buffer.concat([0, 0xfffffff0, 0x10, 5, 0x80000000, 0, 0xffffffff].map((timestamp) => rtmp.video(timestamp)));
}

export const AUTHORISED_CASES: readonly HostileCase[] = [
  hostile('empty video', () => [rtmp.video(0, Buffer.alloc(0)), rtmp.video(40)], live(1), 'dies'),
  hostile('empty audio', () => [rtmp.audio(0, Buffer.alloc(0)), rtmp.video(40)], live(1), 'accepts'),
  hostile(
    'video of one byte',
    () => [rtmp.video(0, bytes(0x17)), rtmp.video(40)],
    live(2),
    'survives: it reads stale bytes behind the message',
  ),
  hostile(
    'video of 9 MiB',
    () => [rtmp.type0Header({ type: 9, csid: 6, messageStreamId: 1, length: 9 << 20 }), Buffer.alloc(1000)],
    closed,
    'accepts',
  ),
  hostile(
    'audio of 2 MiB',
    () => [rtmp.type0Header({ type: 8, csid: 4, messageStreamId: 1, length: 2 << 20 }), Buffer.alloc(1000)],
    closed,
    'accepts',
  ),
  hostile(
    'metadata of 100 KiB',
    () => [
      rtmp.setChunkSize(65_536),
      rtmp.message({ type: 18, csid: 5, messageStreamId: 1, body: Buffer.alloc(100 << 10, 5), chunkSize: 65_536 }),
    ],
    closed,
    'accepts',
  ),
  hostile('empty metadata', () => [rtmp.data(Buffer.alloc(0)), rtmp.video()], live(1), 'dies'),
  hostile(
    'cut-off metadata',
    () => [rtmp.data(Buffer.concat([amf.string('onMetaData'), bytes(3, 0, 200)])), rtmp.video()],
    live(1),
    'accepts',
  ),
  hostile(
    'metadata of unknown type',
    () => [rtmp.data(Buffer.concat([amf.string('onMetaData'), bytes(0x33)])), rtmp.video()],
    live(1),
    'dies',
  ),
  hostile(
    'metadata null',
    () => [rtmp.data(Buffer.concat([amf.string('@setDataFrame'), amf.string('onMetaData')])), rtmp.video()],
    live(1),
    'accepts',
  ),
  hostile('metadata nested 1,000 deep', () => [rtmp.data(deep(1000)), rtmp.video()], live(1), 'dies'),
  hostile(
    'data that is not metadata',
    () => [rtmp.data(Buffer.concat([amf.string('onTextData'), amf.object({})])), rtmp.video()],
    live(1),
    'accepts',
  ),
  hostile('a cut-off aggregate', () => [aggregate(Buffer.alloc(30, 9))], closed, 'accepts'),
  hostile('an aggregate of 20,000 empty messages', () => [aggregate(Buffer.alloc(300_000))], closed, 'accepts'),
  hostile('timestamps that jump by 2^31 and more', () => [jumps()], live(7), 'survives: it hands the jumps on'),
  hostile(
    'another publish while live',
    () => [rtmp.publish('bad-other', 1), rtmp.video()],
    live(1),
    'survives: the name that it lays over the first has no effect',
  ),
  hostile(
    'media after FCUnpublish',
    (key) => [rtmp.video(), rtmp.goodbye(key), rtmp.video(40), rtmp.video(80)],
    { outcome: 'closed' },
    'accepts',
  ),
  hostile(
    'Wirecast stops with publish(false)',
    () => [rtmp.video(), rtmp.publish(amf.boolean(false)), rtmp.video(40)],
    { outcome: 'closed' },
    'dies',
  ),
  hostile('silence', () => [rtmp.video()], closed, 'accepts'),
];
