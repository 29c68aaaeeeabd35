import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkReader } from '../ingest/chunk_reader.ts';
import { chunked, chunkedLength, RELAY_CHUNK_SIZE } from './chunk_writer.ts';

test('what is written is read back, whatever the time and the size', () => {
  const message = fc.record({
    type: fc.constantFrom(8, 9, 18, 20),
    chunkStreamId: fc.integer({ min: 2, max: 63 }),
    messageStreamId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    timestampMs: fc.oneof(fc.nat(), fc.integer({ min: 0xff_ff_fd, max: 0x1_00_00_02 }), fc.nat(2 ** 33)),
    body: fc
      .tuple(fc.oneof(fc.nat(600), fc.integer({ min: 8190, max: 8194 })), fc.nat(255))
      .map(([length, fill]) => Buffer.alloc(length + 1, fill)),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.constantFrom(128, RELAY_CHUNK_SIZE), (messages, chunkSize) => {
      const read: unknown[] = [];
      const reader = new ChunkReader(
        {
          startMessage: () => true,
          message: ({ type, timestamp, messageStreamId, body }) =>
            read.push({ type, timestamp, messageStreamId, body }),
          unfinishedLimit: () => 1e6,
        },
        64,
      );
      const setSize = Buffer.alloc(4);
      setSize.writeUInt32BE(chunkSize, 0);
      const control = { type: 1, chunkStreamId: 2, messageStreamId: 0, timestampMs: 0, body: setSize };
      reader.feed(chunked(control, 128));
      for (const one of messages) {
        const bytes = chunked(one, chunkSize);
        expect(bytes).toHaveLength(chunkedLength(one, chunkSize));
        reader.feed(bytes);
      }
      expect(read).toEqual(
        messages.map(({ type, messageStreamId, timestampMs, body }) => ({
          type,
          timestamp: timestampMs % 2 ** 32,
          messageStreamId,
          body,
        })),
      );
    }),
  );
});
