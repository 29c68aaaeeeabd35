/**
 * A program that starts an encoder, feeds it for ever in real time, and prints FFmpeg's process id once media comes
 * out: for the test that kills it.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { startEncoder } from '../../transcoder/encode/encoder.ts';
import { deriveLadder } from '../../transcoder/encode/ladder.ts';
import { DEFAULT_LADDER } from '../../transcoder/encode/ladder_rungs.ts';
import { describeTags, makeSource } from './encode_source.ts';

const tags = makeSource([
  '-f',
  'lavfi',
  '-i',
  'testsrc2=s=320x240:r=30:d=2',
  '-c:v',
  'libx264',
  '-preset',
  'ultrafast',
  '-tune',
  'zerolatency',
  '-pix_fmt',
  'yuv420p',
  '-g',
  '60',
]);
const plan = deriveLadder(describeTags(tags), {
  rungs: DEFAULT_LADDER,
  top: 'encode',
  segmentSeconds: 2,
  partSeconds: 0.5,
});
let told = false;
const encoder = startEncoder({
  ffmpeg: 'ffmpeg',
  plan,
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
  for (const tag of tags) encoder.write({ ...tag, timestampMs: tag.timestampMs + round * 2000 });
  await delay(1000);
}
