/** Hostile apps, stream names and queries: refused before Publish.Start. */
import { refused } from './hostile_case.ts';
import type { HostileCase, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';
import { amf } from './rtmp_bytes.ts';

function name(title: string, value: string | Buffer, stock: StockOutcome = 'accepts'): HostileCase {
  return {
    name: title,
    class: 'names',
    key: 'bad',
    steps: () => [rtmp.handshake(), rtmp.connect(), rtmp.createStream(), rtmp.publish(value), rtmp.video()],
    expect: refused('NetStream.Publish.BadName'),
    stock,
  };
}

function app(title: string, value: Buffer, stock: StockOutcome = 'accepts'): HostileCase {
  return {
    name: title,
    class: 'names',
    key: 'good',
    steps: (key) => [
      rtmp.handshake(),
      rtmp.connect('stream', { app: value, tcUrl: amf.string('rtmp://h/') }),
      rtmp.createStream(),
      rtmp.publish(key),
    ],
    expect: refused('NetConnection.Connect.InvalidApp'),
    stock,
  };
}

export const NAME_CASES: readonly HostileCase[] = [
  name('null', amf.null(), 'dies'),
  name('a number', amf.number(7), 'dies'),
  name('an object', amf.object({ split: amf.string('x') }), 'dies'),
  name('false, as Wirecast sends to stop', amf.boolean(false), 'dies'),
  name('empty', ''),
  name('dot dot', '..'),
  name('a path that climbs', '../../../../etc/passwd'),
  name('NUL and line breaks', 'key\u0000\r\nX-Injected: 1'),
  name('60,000 characters', 'k'.repeat(60_000)),
  name('a key of 300 characters', 'k'.repeat(300)),
  name('right-to-left override', 'live\u202Eyek'),
  name('percent-encoded slash', 'a%2f..%2fb'),
  name('a hash tag of another Redis slot', '{hw}:streams'),
  name('a shell command', '$(reboot)'),
  name('query with __proto__', 'bad-key?__proto__=1'),
  name('query with a line break', 'bad-key?relay=rtmp%3A%2F%2Fa%0d%0ab'),
  name('query with one name twice', 'bad-key?relay=a&relay=b'),
  name('query of 1,000 parameters', `bad-key?${Array.from({ length: 1000 }, (_, n) => `p${n}=1`).join('&')}`),
  app('an app that does not exist', amf.string('admin')),
  app('an app that climbs', amf.string('../stream')),
  app('an app that is a number', amf.number(1), 'accepts'),
];
