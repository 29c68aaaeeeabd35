/**
 * The moving test picture with a clock and sound of the demo: an FFmpeg whose FLV comes out as media tags.
 */
import { spawn } from 'node:child_process';
import type { MediaTag } from '../transcoder/flv/media_tag.ts';
import { FlvTagReader } from '../transcoder/flv/flv_tag_reader.ts';

export interface PictureSourceOptions {
  readonly ffmpeg: string;
  readonly onTag: (tag: MediaTag) => void;
  /** It ended although nobody stopped it. One line. */
  readonly onFailure: (reason: string) => void;
}

/** Frames per second of the picture. */
const RATE = 30;
/** Drawn with the system's default font; left out where FFmpeg cannot draw text. */
const CLOCK = `drawtext=text='%{localtime\\:%X}':fontsize=64:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=16:x=(w-tw)/2:y=h-th-60`;
/** One that gave less than this could not draw. */
const DREW_BYTES = 10_000;

/** @returns how to stop it */
export function startPicture(options: PictureSourceOptions, clock = true): () => void {
  const { ffmpeg, onTag, onFailure } = options;
  let stop: (() => void) | undefined;
  let bytes = 0;
  const child = spawn(ffmpeg, pictureArguments(clock), {
    stdio: ['ignore', 'pipe', 'ignore'],
    // The environment of this program holds secrets, which FFmpeg has no use for: the fonts need HOME, the clock TZ.
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: process.env['TZ'] },
  });
  const kill = (): void => {
    over = true;
    child.kill('SIGKILL');
  };
  let over = false;
  const flv = new FlvTagReader((tag) => {
    if (!over) onTag(tag);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (over) return;
    try {
      flv.push(chunk);
    } catch (error) {
      kill();
      onFailure(`the test picture is ${error instanceof Error ? error.message : 'not readable'}`);
    }
  });
  child.once('error', (error) => {
    if (!over) onFailure(error.message);
    over = true;
  });
  child.once('close', (code) => {
    if (over) return;
    if (clock && bytes < DREW_BYTES) stop = startPicture(options, false);
    else onFailure(`the test picture's FFmpeg ended with code ${code}`);
  });
  return () => (stop ?? kill)();
}

function pictureArguments(clock: boolean): readonly string[] {
  return [
    ['-hide_banner', '-nostdin', '-loglevel', 'error'],
    ['-re', '-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=${RATE}`],
    ['-re', '-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=4:sample_rate=48000'],
    ['-vf', clock ? `${CLOCK},format=yuv420p` : 'format=yuv420p'],
    ['-af', 'volume=0.25'],
    // Like OBS with "zerolatency" and key frames every 2 s: passed through as the top rendition.
    ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', String(2 * RATE)],
    ['-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '2500k'],
    ['-c:a', 'aac', '-b:a', '128k', '-ac', '2'],
    ['-flush_packets', '1', '-f', 'flv', 'pipe:1'],
  ].flat();
}
