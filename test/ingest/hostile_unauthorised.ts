/** Media from connections that were not authorised: not a byte of it reaches a stream. */
import { closed, live, refused } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';

const BAD_NAME = 'NetStream.Publish.BadName';

function hostile(
  name: string,
  steps: (key: string) => readonly Step[],
  stock: StockOutcome,
  expect: Expectation = closed,
): HostileCase {
  return { name, class: 'media-before-authorisation', key: 'bad', steps, expect, stock };
}

const media = (): Buffer => Buffer.concat([rtmp.metadata(), rtmp.video(), rtmp.audio(), rtmp.video(40)]);
const connected = (): Buffer => Buffer.concat([rtmp.handshake(), rtmp.connect(), rtmp.createStream()]);

/** One video message whose first chunk comes before publish and the second after it. */
function astride(key: string): readonly Step[] {
  const body = rtmp.videoBody(200);
  const first = Buffer.concat([
    rtmp.type0Header({ type: 9, csid: 6, messageStreamId: 1, length: 200 }),
    body.subarray(0, 128),
  ]);
  const second = Buffer.concat([rtmp.basicHeader(3, 6), body.subarray(128)]);
  return [connected(), first, rtmp.publish(key), { until: 'NetStream.Publish.Start' }, second, rtmp.video(40)];
}

export const UNAUTHORISED_CASES: readonly HostileCase[] = [
  hostile('media before connect', () => [rtmp.handshake(), media()], 'accepts'),
  hostile('media between connect and publish', () => [connected(), media()], 'accepts'),
  hostile('empty video before connect', () => [rtmp.handshake(), rtmp.video(0, Buffer.alloc(0)), rtmp.video()], 'dies'),
  hostile(
    'cut-off metadata before connect',
    () => [rtmp.handshake(), rtmp.data(rtmp.bytes(2, 0)), rtmp.video()],
    'accepts',
  ),
  hostile(
    'media behind publish with a bad key',
    (key) => [rtmp.publishing(key), media()],
    'accepts',
    refused(BAD_NAME),
  ),
  hostile(
    'media after the refusal',
    (key) => [rtmp.publishing(key), { until: BAD_NAME }, media()],
    'accepts',
    refused(BAD_NAME),
  ),
  hostile('publish before connect', (key) => [rtmp.handshake(), rtmp.publish(key), media()], 'accepts'),
  hostile(
    'publish without createStream and with a bad key',
    (key) => [rtmp.handshake(), rtmp.connect(), rtmp.publish(key, 0), media()],
    'accepts',
    refused(BAD_NAME),
  ),
  hostile('the key of a live publisher', () => [rtmp.publishing('healthy'), media()], 'accepts', refused(BAD_NAME)),
  hostile(
    'an aggregate before publish',
    () => [connected(), rtmp.message({ type: 22, csid: 6, messageStreamId: 1, body: Buffer.alloc(300) })],
    'accepts',
  ),
  { ...hostile('a message that began before publish', astride, 'accepts', live(1)), key: 'good' },
];
