import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Amf0Reader } from '../ingest/amf0_reader.ts';
import { RtmpProtocolError } from '../ingest/rtmp_protocol_error.ts';
import { writeAmf0 } from './amf0_writer.ts';
import type { Amf0Writable } from './amf0_writer.ts';
import { chunked } from './chunk_writer.ts';
import { PublishDialogue } from './publish_dialogue.ts';
import { parseRelayUrl } from './relay_endpoint.ts';
import { RelayFailure } from './relay_error.ts';
import { readChunks } from './testing/read_chunks.ts';

const HELLO = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536, 1), Buffer.alloc(1536, 2)]);

function dialogue() {
  const sent: Buffer[] = [];
  const live: number[] = [];
  const one = new PublishDialogue({
    endpoint: parseRelayUrl('rtmp://target.example/live/inst/the-key?a=b'),
    random: Buffer.alloc(1528, 9),
    fourCcs: [],
    handlers: { output: (bytes) => sent.push(bytes), live: (messageStreamId) => live.push(messageStreamId) },
  });
  one.start();
  return { one, sent, live };
}

const message = (type: number, body: Buffer) =>
  chunked({ type, chunkStreamId: 3, messageStreamId: 0, timestampMs: 0, body }, 128);
const command = (...values: Amf0Writable[]) => message(20, writeAmf0(values));
const onStatus = (level: string, code: string) =>
  command('onStatus', 0, null, { level, code, description: 'the-key is not welcome' });

function thrownBy(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Names and arguments of what the client sent after the handshake. */
function commandsIn(sent: readonly Buffer[]) {
  return readChunks(Buffer.concat(sent), 128)
    .filter(({ type }) => type === 20)
    .map(({ body = Buffer.alloc(0), messageStreamId }) => {
      const reader = new Amf0Reader(body, { amfDepth: 4, amfValues: 50 });
      const values: unknown[] = [];
      while (!reader.atEnd) values.push(reader.readValue());
      return { values, messageStreamId };
    });
}

/** Up to the state in which media is taken. */
function goLive() {
  const it = dialogue();
  it.one.feed(HELLO);
  it.one.feed(command('_result', 1, { fmsVer: 'x' }, { level: 'status', code: 'NetConnection.Connect.Success' }));
  it.one.feed(Buffer.concat([command('_error', 2, null, null), command('_result', 4, null, 7)]));
  it.one.feed(onStatus('status', 'NetStream.Publish.Start'));
  return it;
}

describe('the dialogue with a target', () => {
  test('publishes in the order that encoders use', () => {
    const { one, sent, live } = goLive();
    expect(live).toEqual([7]);
    expect(sent[0]).toHaveLength(1537);
    expect(sent[1]).toEqual(HELLO.subarray(1, 1537));
    const commands = commandsIn(sent.slice(2));
    expect(commands.map(({ values }) => values[0])).toEqual([
      'connect',
      'releaseStream',
      'FCPublish',
      'createStream',
      'publish',
    ]);
    const connect = new Map<string, unknown>(commands[0]?.values[2] as ReadonlyMap<string, unknown>);
    expect(connect.get('app')).toBe('live/inst');
    expect(connect.get('tcUrl')).toBe('rtmp://target.example:1935/live/inst');
    expect(commands.at(-1)).toEqual({ values: ['publish', 5, null, 'the-key?a=b', 'live'], messageStreamId: 7 });
    one.finish();
    expect(
      commandsIn(sent.slice(2))
        .slice(5)
        .map(({ values }) => values),
    ).toEqual([
      ['FCUnpublish', 6, null, 'the-key?a=b'],
      ['deleteStream', 7, null, 7],
    ]);
  });

  test('sends nothing but C2 before S2 came', () => {
    const { one, sent } = dialogue();
    one.feed(HELLO.subarray(0, 100));
    expect(sent).toHaveLength(1);
    one.feed(HELLO.subarray(100, 1600));
    one.feed(HELLO.subarray(1600, 1700));
    expect(sent).toHaveLength(2);
    one.feed(HELLO.subarray(1700));
    expect(sent).toHaveLength(3);
  });

  test('answers pings, windows and acknowledges', () => {
    const { one, sent } = goLive();
    const before = sent.length;
    one.feed(message(4, Buffer.from([0, 6, 1, 2, 3, 4])));
    one.feed(message(6, Buffer.from([0, 0, 0x20, 0, 2])));
    one.feed(message(5, Buffer.from([0, 0, 0x10, 0])));
    one.feed(message(9, Buffer.alloc(5000)));
    const replies = readChunks(Buffer.concat(sent.slice(before)));
    expect(replies.map(({ type, body }) => [type, body?.toString('hex').slice(0, 12)])).toEqual([
      [4, '000701020304'],
      [5, '00002000'],
      [3, expect.any(String) as string],
    ]);
  });

  test.each([
    ['connect', () => command('_error', 1, null, { level: 'error', code: 'NetConnection.Connect.Rejected' })],
    ['connect, in other words', () => command('_error', 1, null, { code: 'the-key is bad' })],
    ['no stream', () => Buffer.concat([command('_result', 1, null, null), command('_result', 4, null, 'x')])],
    ['close', () => command('close', 0, null)],
    ['a bad name', () => onStatus('error', 'NetStream.Publish.BadName')],
    ['a code that repeats the key', () => onStatus('error', 'NetStream.the-key')],
  ])('a refusal (%s) is a failure in our own words', (_name, reply) => {
    const { one } = dialogue();
    one.feed(HELLO);
    const refused = () => one.feed(reply());
    expect(refused).toThrow(RelayFailure);
    const { one: again } = dialogue();
    again.feed(HELLO);
    expect(() => again.feed(reply())).not.toThrow(/the-key/);
  });

  test('another protocol, and garbage, break off', () => {
    expect(() => dialogue().one.feed(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow('does not speak RTMP');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const { one } = dialogue();
        one.feed(HELLO);
        const error = thrownBy(() => one.feed(Buffer.from(bytes)));
        expect(error === undefined || error instanceof RelayFailure || error instanceof RtmpProtocolError).toBe(true);
      }),
    );
    const { one } = dialogue();
    one.feed(HELLO);
    expect(() => one.feed(Buffer.from([3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0]))).toThrow('wanted 65536 at most');
  });
});
