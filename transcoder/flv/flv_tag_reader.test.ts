import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flvHeader, flvTags } from './flv_writer.ts';
import type { MediaTag } from './media_tag.ts';
import { FlvTagReader } from './flv_tag_reader.ts';

test('tags come out as they went in, wherever the bytes are cut', () => {
  const tag = fc.record({
    kind: fc.constantFrom('video', 'audio', 'metadata'),
    timestampMs: fc.nat(2 ** 32 - 1),
    body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 5 }), fc.integer({ min: 1, max: 30 }), (tags, step) => {
      const file = Buffer.concat([flvHeader({ audio: true, video: true }), flvTags(tags)]);
      const read: MediaTag[] = [];
      const reader = new FlvTagReader((one) => read.push(one));
      for (let at = 0; at < file.length; at += step) reader.push(file.subarray(at, at + step));
      expect(read).toEqual(tags);
    }),
  );
});

test('what is no FLV is told', () => {
  const reader = new FlvTagReader(() => undefined);
  expect(() => reader.push(Buffer.alloc(13))).toThrow('not FLV');
});
