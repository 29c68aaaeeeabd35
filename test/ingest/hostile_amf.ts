/** Hostile AMF0 in commands. */
import { closed, live } from './hostile_case.ts';
import type { Expectation, HostileCase, Step, StockOutcome } from './hostile_case.ts';
import * as rtmp from './rtmp_bytes.ts';
import { amf, bytes, u32 } from './rtmp_bytes.ts';

function hostile(name: string, steps: readonly Step[], stock: StockOutcome, expect: Expectation = closed): HostileCase {
  return { name, class: 'amf', key: 'bad', steps: () => [rtmp.handshake(), ...steps], expect, stock };
}

/** A publisher whose connect is odd and harmless: it publishes one tag. */
function oddConnect(name: string, commandObject: Buffer, stock: StockOutcome): HostileCase {
  const connect = rtmp.command('connect', 1, [commandObject]);
  return {
    name,
    class: 'amf',
    key: 'good',
    steps: (key) => [rtmp.handshake(), connect, rtmp.createStream(), rtmp.publish(key), rtmp.video()],
    expect: live(1),
    stock,
  };
}

const connectWith = (commandObject: Buffer): Buffer => rtmp.command('connect', 1, [commandObject]);
const nested = (depth: number): Buffer => Buffer.concat(Array.from({ length: depth }, () => bytes(3, 0, 1, 97)));
const keys = (count: number): Buffer =>
  amf.object(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, amf.null()])));

export const AMF_CASES: readonly HostileCase[] = [
  hostile('empty command', [rtmp.rawCommand(Buffer.alloc(0)), rtmp.connect()], 'dies'),
  hostile('unknown type', [rtmp.rawCommand(bytes(0x20, 1, 2, 3))], 'accepts'),
  hostile('cut-off name', [rtmp.rawCommand(bytes(2, 0, 50, 97))], 'accepts'),
  hostile('cut-off number', [rtmp.rawCommand(Buffer.concat([amf.string('connect'), bytes(0, 63)]))], 'dies'),
  hostile('name is a number', [rtmp.rawCommand(Buffer.concat([amf.number(1), amf.number(1)]))], 'accepts'),
  hostile(
    'transaction id is an object',
    [rtmp.rawCommand(Buffer.concat([amf.string('connect'), amf.object({})]))],
    'dies',
  ),
  hostile(
    'connect without a command object',
    [rtmp.rawCommand(Buffer.concat([amf.string('connect'), amf.number(1)]))],
    'dies',
  ),
  hostile('connect with null', [connectWith(amf.null())], 'dies'),
  hostile(
    'an object without an end',
    [connectWith(Buffer.concat([bytes(3), amf.key('app'), amf.string('stream')]))],
    'dies',
  ),
  hostile('16,000 nested objects', [connectWith(nested(16_000))], 'dies'),
  hostile('array of 4,294,967,295 values', [connectWith(amf.strictArray([amf.null()], 0xffffffff))], 'dies'),
  hostile('long string of 4 GiB', [connectWith(Buffer.concat([bytes(12), u32(0xffffffff), bytes(97)]))], 'dies'),
  hostile('4,000 keys', [connectWith(keys(4000))], 'dies'),
  hostile('an AMF3 command', [rtmp.message({ type: 17, body: bytes(17, 10, 11, 1) })], 'dies'),
  oddConnect('connect without tcUrl', amf.object({ app: amf.string('stream') }), 'dies'),
  oddConnect('tcUrl is not a URL', amf.object({ app: amf.string('stream'), tcUrl: amf.string('::::') }), 'dies'),
  oddConnect(
    'a key __proto__',
    amf.object({
      app: amf.string('stream'),
      tcUrl: amf.string('rtmp://h/stream'),
      ['__proto__']: amf.object({ isPublisher: amf.boolean(true) }),
    }),
    'survives: it changes the prototype of one object that is then unused',
  ),
];
