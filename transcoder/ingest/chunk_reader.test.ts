import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkReader } from './chunk_reader.ts';
import type { ChunkMessage } from './chunk_reader.ts';
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

interface Setup {
  readonly reader: ChunkReader;
  readonly messages: ChunkMessage[];
}

function setUp(onMessage?: (reader: ChunkReader, message: ChunkMessage) => void): Setup {
  const messages: ChunkMessage[] = [];
  const reader: ChunkReader = new ChunkReader(
    {
      startMessage: (type) => type !== 99,
      message: (message) => {
        messages.push(message);
        onMessage?.(reader, message);
      },
      unfinishedLimit: () => 10_000,
    },
    4,
  );
  return { reader, messages };
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const shape = ({ type, timestamp, messageStreamId, body }: ChunkMessage): unknown[] => [
  type,
  timestamp,
  messageStreamId,
  body?.toString('hex'),
];

interface Sent {
  readonly type: number;
  readonly timestamp: number;
  readonly body: Buffer;
}

/** Type 0 header and type 3 continuations. */
function chunksOf(csid: number, { type, timestamp, body }: Sent, chunkSize: number): Buffer[] {
  const header = Buffer.alloc(12);
  header[0] = csid;
  const extended = Buffer.alloc(timestamp >= 0xffffff ? 4 : 0);
  if (extended.length > 0) extended.writeUInt32BE(timestamp);
  header.writeUIntBE(Math.min(timestamp, 0xffffff), 1, 3);
  header.writeUIntBE(body.length, 4, 3);
  header[7] = type;
  header.writeUInt32LE(1, 8);
  const chunks = [Buffer.concat([header, extended, body.subarray(0, chunkSize)])];
  for (let at = chunkSize; at < body.length; at += chunkSize) {
    chunks.push(Buffer.concat([Buffer.of(0xc0 | csid), extended, body.subarray(at, at + chunkSize)]));
  }
  return chunks;
}

const sentArbitrary = fc.record({
  type: fc.constantFrom(8, 9, 18),
  timestamp: fc.oneof(fc.nat(1_000_000), fc.constantFrom(0xfffffe, 0xffffff, 0x1000000, 0xffffffff)),
  body: fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array)),
});

const wanted = (list: readonly Sent[]): unknown[] =>
  list.map(({ type, timestamp, body }) => [type, timestamp, 1, body.toString('hex')]);
const sorted = (list: unknown[]): string[] =>
  list.map((one) => JSON.stringify(one)).toSorted((one, other) => one.localeCompare(other));

/** What `action` throws; undefined when it does not. */
function thrownBy(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('chunk reader', () => {
  test('puts interleaved messages together however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(sentArbitrary, { minLength: 1, maxLength: 5 }),
        fc.array(sentArbitrary, { maxLength: 5 }),
        fc.integer({ min: 1, max: 60 }),
        (first, second, cut) => {
          const a = first.flatMap((sent) => chunksOf(4, sent, 128));
          const b = second.flatMap((sent) => chunksOf(6, sent, 128));
          const wire: Buffer[] = [];
          while (a.length + b.length > 0) wire.push(...a.splice(0, 1), ...b.splice(0, 1));
          const bytes = Buffer.concat(wire);
          const { reader, messages } = setUp();
          for (let at = 0; at < bytes.length; at += cut) reader.feed(bytes.subarray(at, at + cut));
          const got = messages.map((message) => shape(message));
          expect(sorted(got)).toStrictEqual(sorted([...wanted(first), ...wanted(second)]));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('only ever throws protocol errors on noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (noise) => {
        const { reader } = setUp();
        const thrown = thrownBy(() => reader.feed(Buffer.from(noise)));
        expect(thrown === undefined || thrown instanceof RtmpProtocolError).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('adds deltas modulo 2^32 and repeats them in type 3', () => {
    const { reader, messages } = setUp();
    reader.feed(hex('04 ffffff 000001 08 01000000 fffffff0 aa'));
    reader.feed(hex('44 000020 000001 08 bb'));
    reader.feed(hex('84 000005 cc'));
    reader.feed(hex('c4 dd'));
    expect(messages.map(({ timestamp }) => timestamp)).toStrictEqual([0xfffffff0, 0x10, 0x15, 0x1a]);
  });

  test('accepts continuations without the extended timestamp', () => {
    const body = Buffer.alloc(300, 7);
    const { reader, messages } = setUp();
    reader.feed(hex('04 ffffff 00012c 09 01000000 01000000'));
    reader.feed(Buffer.concat([body.subarray(0, 128), hex('c4'), body.subarray(128, 256), hex('c4')]));
    for (const byte of body.subarray(256)) reader.feed(Buffer.of(byte));
    expect(messages.map((message) => shape(message))).toStrictEqual([[9, 0x1000000, 1, body.toString('hex')]]);
  });

  test('reads two- and three-byte chunk stream ids', () => {
    const { reader, messages } = setUp();
    reader.feed(hex('00 05 000001 000001 08 01000000 aa'));
    reader.feed(hex('01 05 01 000002 000001 08 01000000 bb'));
    // 64 + 5 in three bytes is the stream of the first.
    reader.feed(hex('c1 05 00 cc'));
    expect(messages.map((message) => shape(message))).toStrictEqual([
      [8, 1, 1, 'aa'],
      [8, 2, 1, 'bb'],
      [8, 2, 1, 'cc'],
    ]);
  });

  test('a new chunk size holds from the next chunk on, also inside a message', () => {
    const { reader, messages } = setUp();
    const body = Buffer.alloc(200, 3);
    reader.feed(Buffer.concat([hex('06 000000 0000c8 09 01000000'), body.subarray(0, 128)]));
    reader.feed(hex('02 000000 000004 01 00000000 00000032'));
    reader.feed(Buffer.concat([hex('c6'), body.subarray(0, 50), hex('c6'), body.subarray(0, 22)]));
    expect(messages.map((message) => shape(message))).toStrictEqual([[9, 0, 1, body.toString('hex')]]);
  });

  test('abort drops the message that is under way', () => {
    const { reader, messages } = setUp();
    reader.feed(Buffer.concat([hex('06 000000 0000c8 09 01000000'), Buffer.alloc(128)]));
    reader.feed(hex('02 000000 000004 02 00000000 00000006'));
    reader.feed(hex('06 000001 000001 09 01000000 ee'));
    expect(messages.map((message) => shape(message))).toStrictEqual([[9, 1, 1, 'ee']]);
  });

  test('holds what comes while suspended', () => {
    const { reader, messages } = setUp((self, { timestamp }) => {
      if (timestamp === 1) self.suspend();
    });
    const three = hex('04 000001 000001 08 01000000 aa 44 000001 000001 08 bb');
    reader.feed(three);
    reader.feed(hex('c4 cc'));
    expect([messages.length, reader.heldBytes]).toStrictEqual([1, 11]);
    reader.resume();
    expect([messages.length, reader.heldBytes]).toStrictEqual([3, 0]);
  });

  test('bounds what unfinished messages hold together', () => {
    const { reader } = setUp();
    reader.feed(Buffer.concat([hex('04 000000 001f40 14 00000000'), Buffer.alloc(128)]));
    expect(() => reader.feed(hex('05 000000 001f40 14 00000000'))).toThrow(
      'more than 10000 bytes of unfinished messages',
    );
  });

  test('refuses a type 0 header inside a message', () => {
    const { reader } = setUp();
    const begin = Buffer.concat([hex('04 000000 001f40 14 00000000'), Buffer.alloc(128)]);
    reader.feed(begin);
    expect(() => reader.feed(begin)).toThrow('type 0 header inside a message');
  });

  test.each([
    ['more than 4 chunk streams', [3, 4, 5, 6, 7].map((csid) => `0${csid} 000000 000000 00 00000000`).join(' ')],
    ['a chunk stream begins with type 3', 'c9'],
    ['a chunk stream begins with type 2', '89 000000'],
    ['chunk size 0', '02 000000 000004 01 00000000 00000000'],
    ['control message of 2 bytes', '02 000000 000002 01 00000000 0080'],
  ])('refuses %s', (problem, wire) => {
    const { reader } = setUp();
    expect(() => reader.feed(hex(wire))).toThrow(problem);
  });
});
