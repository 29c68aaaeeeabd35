/**
 * A program that starts an encoder, feeds it for ever in real time, and prints FFmpeg's process id once media comes
 * out: for the test that kills it.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { startEncoder } from '../../transcoder/encode/encoder.ts';
import { PLAN, TAGS } from './plain_source.ts';

let told = false;
const encoder = startEncoder({
  ffmpeg: 'ffmpeg',
  plan: PLAN,
  monotonicMs: () => performance.now(),
  outputs: {
    onVideo: () => {
      if (!told) process.stdout.write(`${encoder.pid}\n`);
      told = true;
    },
    onAudio: () => {},
    onPoster: () => {},
    onExit: () => process.exit(1),
  },
});
for (let round = 0; ; round += 1) {
  for (const tag of TAGS) encoder.write({ ...tag, timestampMs: tag.timestampMs + round * 2000 });
  await delay(1000);
}
