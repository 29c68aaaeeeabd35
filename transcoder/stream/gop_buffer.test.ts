import { expect, test } from 'vitest';
import { GopBuffer } from './gop_buffer.ts';
import { audioFrame, videoFrame } from './testing/tags.ts';

test('tags of a few bytes cannot fill the memory: each counts with what it costs beside its bytes', () => {
  const buffer = new GopBuffer();
  buffer.begin(videoFrame(0, true), 0);
  const tag = audioFrame(0);
  let kept = 0;
  while (buffer.tags.length > 0 && kept < 1_000_000) {
    buffer.append(tag);
    kept += 1;
  }
  expect(kept).toBeLessThan(150_000);
});
