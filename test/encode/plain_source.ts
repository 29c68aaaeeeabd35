/**
 * The source of tests to which any picture will do: two seconds without sound, and the ladder that is encoded of it.
 */
import { deriveLadder } from '../../transcoder/encode/ladder.ts';
import { DEFAULT_LADDER } from '../../transcoder/encode/ladder_rungs.ts';
import { describeTags, makeSource } from './encode_source.ts';

const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=30:d=2'];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60'];

export const TAGS = makeSource([...PICTURE, ...H264]);
export const PLAN = deriveLadder(describeTags(TAGS), {
  rungs: DEFAULT_LADDER,
  top: 'encode',
  segmentSeconds: 2,
  partSeconds: 0.5,
});
