/**
 * Sources for benchmarks, made by FFmpeg once per run: 1280x720 at 30 frames per second, H.264 at 2.5 Mb/s with a key
 * frame every 2 s, AAC at 128 kb/s, as FLV.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export const SOURCES = {
  /** Flat areas, little motion. */
  testsrc2: 'testsrc2=s=1280x720:r=30',
  /** Every pixel moves: a zoom that scrolls 1.1 % of its width per frame, with moving grain. */
  mandelbrot: 'mandelbrot=s=1280x720:r=30:end_scale=0.02:end_pts=600,scroll=h=0.011:v=0.004,noise=alls=3:allf=t',
} as const;

export type SourceName = keyof typeof SOURCES;

/** @returns the file's path */
export function makeSource(folder: string, name: SourceName, seconds: number): string {
  const path = join(folder, `${name}.flv`);
  execFileSync(
    'ffmpeg',
    [
      ['-hide_banner', '-loglevel', 'error', '-y', '-f', 'lavfi', '-i', SOURCES[name]],
      ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', String(seconds)],
      ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '60', '-keyint_min', '60'],
      ['-sc_threshold', '0', '-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '2500k'],
      ['-c:a', 'aac', '-b:a', '128k', path],
    ].flat(),
  );
  return path;
}
