/** Inputs that try to use up memory, processor time or connections. */
import { closed, live, refused } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';
import { amf } from './rtmp_bytes.ts';

function hostile(
  name: string,
  key: 'good' | 'bad',
  steps: (key: string) => readonly Step[],
  expect: Expectation,
  stock: StockOutcome,
): HostileCase {
  return { name, class: 'bombs', key, steps, expect, stock };
}

function* repeat(count: number, piece: Buffer): Iterable<Buffer> {
  for (let sent = 0; sent < count; sent += 1) yield piece;
}

const connected = (): Buffer => Buffer.concat([rtmp.handshake(), rtmp.connect()]);
const started = { until: 'NetStream.Publish.Start' };
const bigChunks = rtmp.setChunkSize(1 << 20);

/** A key frame, then inter frames: what the stock server caches until the next key frame. */
function gop(frames: number, frameBytes: number): Step {
  const body = rtmp.videoBody(frameBytes, 1, false);
  const inter = rtmp.message({ type: 9, csid: 6, messageStreamId: 1, chunkSize: 1 << 20, body });
  return () => repeat(frames, inter);
}

const declared = (length: number): Buffer =>
  Buffer.concat(
    Array.from({ length: 12 }, (_, n) =>
      Buffer.concat([rtmp.type0Header({ type: 9, csid: 20 + n, messageStreamId: 1, length }), Buffer.alloc(128)]),
    ),
  );

const pings = Buffer.concat(
  Array.from({ length: 500 }, () =>
    rtmp.message({ type: 4, csid: 2, body: Buffer.concat([rtmp.u16(6), rtmp.u32(1)]) }),
  ),
);

export const BOMB_CASES: readonly HostileCase[] = [
  { ...hostile('300 silent connections', 'bad', () => [], closed, 'accepts'), connections: 300 },
  {
    ...hostile('150 connections that stop after connect', 'bad', () => [connected()], closed, 'accepts'),
    connections: 150,
  },
  {
    ...hostile(
      '60 publishers with bad keys at once',
      'bad',
      (key) => [rtmp.publishing(key), rtmp.video()],
      refused('NetStream.Publish.BadName'),
      'accepts',
    ),
    connections: 60,
  },
  hostile(
    '128 MB of video before connect',
    'bad',
    () => [rtmp.handshake(), rtmp.video(), bigChunks, gop(1000, 128 << 10)],
    closed,
    'leaks',
  ),
  hostile(
    'video on 12 chunk streams, 4 MiB declared each',
    'good',
    (key) => [rtmp.publishing(key), started, declared(4 << 20)],
    closed,
    'accepts',
  ),
  hostile(
    'video on 12 chunk streams before connect, 16 MiB declared each',
    'bad',
    () => [rtmp.handshake(), declared(0xffffff)],
    closed,
    'accepts',
  ),
  hostile(
    '20,000 createStream',
    'bad',
    () => [connected(), (): Iterable<Buffer> => repeat(200, Buffer.concat([...repeat(100, rtmp.createStream())]))],
    closed,
    'accepts',
  ),
  hostile(
    '20,000 releaseStream',
    'bad',
    () => [
      connected(),
      (): Iterable<Buffer> =>
        repeat(200, Buffer.concat([...repeat(100, rtmp.command('releaseStream', 2, [amf.null(), amf.string('x')]))])),
    ],
    closed,
    'accepts',
  ),
  {
    ...hostile(
      'a million pings, replies unread',
      'good',
      (key) => [rtmp.publishing(key), started, (): Iterable<Buffer> => repeat(2000, pings)],
      closed,
      'accepts',
    ),
    deaf: true,
  },
  hostile(
    '170 Mb/s for three seconds',
    'good',
    (key) => [
      rtmp.publishing(key),
      started,
      bigChunks,
      ...Array.from({ length: 30 }).flatMap((): Step[] => [gop(4, 512 << 10), { pauseMs: 100 }]),
    ],
    refused('NetStream.Publish.Rejected'),
    'accepts',
  ),
  hostile(
    'chunks of one byte',
    'good',
    (key) => [
      rtmp.publishing(key),
      started,
      rtmp.setChunkSize(1),
      rtmp.message({ type: 9, csid: 6, messageStreamId: 1, chunkSize: 1, body: rtmp.videoBody(60_000) }),
      rtmp.message({ type: 1, csid: 2, body: rtmp.u32(128), chunkSize: 1 }),
    ],
    live(1),
    'survives: it only costs time',
  ),
  hostile(
    '100 metadata of 40 KB',
    'good',
    (key) => [
      rtmp.publishing(key),
      started,
      bigChunks,
      (): Iterable<Buffer> =>
        repeat(
          100,
          rtmp.message({
            type: 18,
            csid: 5,
            messageStreamId: 1,
            chunkSize: 1 << 20,
            body: Buffer.concat([amf.string('onMetaData'), amf.longString('x'.repeat(40_000))]),
          }),
        ),
    ],
    live(100),
    'survives: it only costs time',
  ),
];
