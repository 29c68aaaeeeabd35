/** Connections that come to play, and try to send. */
import { closed, live, refused } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';
import { amf } from './rtmp_bytes.ts';

const PLAY_FAILED = 'NetStream.Play.Failed';

function player(
  name: string,
  steps: readonly Step[],
  stock: StockOutcome,
  expect: Expectation = refused(PLAY_FAILED),
): HostileCase {
  return { name, class: 'players', key: 'bad', steps: () => [rtmp.handshake(), ...steps], expect, stock };
}

const play = (name: Buffer): Buffer => rtmp.command('play', 5, [amf.null(), name, amf.number(-2000)], 1);
const media = (): Buffer => Buffer.concat([rtmp.metadata(), rtmp.video(), rtmp.audio()]);
const connected = (): Buffer => Buffer.concat([rtmp.connect(), rtmp.createStream()]);

export const PLAYER_CASES: readonly HostileCase[] = [
  player('plays the live stream', [connected(), play(amf.string('healthy'))], 'accepts'),
  player('plays and injects media', [connected(), play(amf.string('healthy')), media()], 'accepts'),
  player(
    'injects after Play.Failed',
    [connected(), play(amf.string('healthy')), { until: PLAY_FAILED }, media()],
    'accepts',
  ),
  player('plays a name that is no text', [connected(), play(amf.null())], 'dies'),
  player('plays a name that climbs', [connected(), play(amf.string('../healthy'))], 'accepts'),
  player('plays without createStream', [rtmp.connect(), play(amf.string('healthy'))], 'accepts'),
  player('plays before connect', [play(amf.string('healthy')), media()], 'accepts', closed),
  player(
    'play2',
    [connected(), rtmp.command('play2', 5, [amf.null(), amf.object({ streamName: amf.string('healthy') })], 1)],
    'accepts',
  ),
  player(
    'plays, then publishes',
    [connected(), play(amf.string('healthy')), rtmp.publish('healthy'), media()],
    'accepts',
  ),
  player(
    'asks for pause, seek and video only',
    [
      connected(),
      rtmp.command('pause', 0, [amf.null(), amf.boolean(true), amf.number(0)], 1),
      rtmp.command('seek', 0, [amf.null(), amf.number(0)], 1),
      rtmp.command('receiveVideo', 0, [amf.null(), amf.boolean(true)], 1),
    ],
    'accepts',
    closed,
  ),
  {
    name: 'a publisher that also plays',
    class: 'players',
    key: 'good',
    steps: (key) => [
      rtmp.publishing(key),
      { until: 'NetStream.Publish.Start' },
      play(amf.string('healthy')),
      rtmp.video(),
    ],
    expect: live(1),
    stock: 'survives: it becomes a viewer as well',
  },
];
