/**
 * Sound and picture stay together over the pipes: the source flashes white and beeps at the same moments, and both are
 * found again in what comes out.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTags, makeSource } from './encode_source.ts';
import type { EncodeResult } from './encode_source.ts';
import { readFragments } from './fragment_reader.ts';

/** White and loud during the first 0.2 s of each second from 1 s on, else black and silent. */
const SOURCE = [
  '-f',
  'lavfi',
  '-i',
  "color=black:s=640x360:r=30:d=5,drawbox=c=white:t=fill:enable='gte(t,1)*lt(mod(t,1),0.2)'",
  '-f',
  'lavfi',
  '-i',
  "aevalsrc='if(gte(t,1)*lt(mod(t,1),0.2),0.8*sin(2*PI*1000*t),0)':s=48000:d=5",
];
const WANTED = [12, 13, 14, 15];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headwater-sync-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Decodes a pipe's bytes with FFmpeg, without its time stamps: raw samples only. */
function decoded(file: Buffer, args: readonly string[]): Buffer {
  const path = join(folder, 'decoded.mp4');
  writeFileSync(path, file);
  return execFileSync('ffmpeg', ['-v', 'error', '-i', path, ...args, 'pipe:1'], { maxBuffer: 1 << 28 });
}

/** Media times, s, at which the picture turns white. */
function flashes(result: EncodeResult, rendition: number): number[] {
  const bytes = result.bytes.video[rendition] ?? Buffer.alloc(0);
  const track = readFragments(bytes);
  const times = track.samples.map((sample) => sample.presentationTime / track.timescale).toSorted((a, b) => a - b);
  const args = ['-fps_mode', 'passthrough', '-vf', 'scale=1:1', '-pix_fmt', 'gray', '-f', 'rawvideo'];
  const brightness = decoded(bytes, args);
  expect(brightness.length).toBe(times.length);
  return times.filter((_, index) => (brightness[index] ?? 0) > 128 && (brightness[index - 1] ?? 0) <= 128);
}

/** Media times, s, at which the sound sets in. */
function beeps(result: EncodeResult, index: number): number[] {
  const bytes = result.bytes.audio[index] ?? Buffer.alloc(0);
  const start = (readFragments(bytes).samples[0]?.decodeTime ?? 0) / 48_000;
  const raw = decoded(bytes, ['-ac', '1', '-f', 's16le']);
  const found: number[] = [];
  let silentSince = 0;
  for (let sample = 0; sample * 2 + 1 < raw.length; sample += 1) {
    if (Math.abs(raw.readInt16LE(sample * 2)) < 6000) continue;
    if (sample - silentSince > 12_000) found.push(start + sample / 48_000);
    silentSince = sample;
  }
  return found;
}

describe('flash and beep', () => {
  it.each([
    ['encoded, source without B-frames', 'encode', ['-tune', 'zerolatency', '-preset', 'ultrafast']],
    ['encoded, source with B-frames', 'encode', ['-preset', 'veryfast']],
    ['copied, source without B-frames', 'copy', ['-tune', 'zerolatency', '-preset', 'ultrafast']],
    ['copied, source with B-frames', 'copy', ['-preset', 'veryfast']],
  ] as const)('%s', async (_name, top, coding) => {
    const tags = makeSource([
      ...SOURCE,
      '-c:v',
      'libx264',
      '-g',
      '60',
      '-pix_fmt',
      'yuv420p',
      ...coding,
      '-c:a',
      'aac',
    ]);
    const result = await encodeTags(tags, { top });
    const picture = flashes(result, 0);
    const sound = beeps(result, 0);
    expect(picture.length).toBe(WANTED.length);
    expect(sound.length).toBe(WANTED.length);
    for (const [index, time] of picture.entries()) {
      // The FLV muxer moves a source with B-frames by their reordering, sound and picture alike.
      expect(Math.abs(time - (WANTED[index] ?? 0))).toBeLessThan(0.1);
      expect(Math.abs(time - (sound[index] ?? 0))).toBeLessThan(0.005);
    }
  });
});
