/**
 * FFmpeg as a publisher: a moving test picture with sound, encoded and sent at the pace of the clock.
 */
import { spawn } from 'node:child_process';
import { sourceArguments } from './test_source.ts';
import type { TestSourceOptions } from './test_source.ts';

export interface FfmpegPublisher {
  /** Resolves with FFmpeg's exit code when it has ended by itself or by `stop`. */
  readonly exited: Promise<number | null>;
  /** What it complained of. */
  readonly log: () => string;
  /** Ends the broadcast as a person does who presses q: FFmpeg says goodbye. */
  stop(): Promise<void>;
}

/** @param url RTMP or RTMPS, with the stream key */
export function publishWithFfmpeg(
  url: string,
  options: TestSourceOptions,
  outputOptions: readonly string[] = [],
): FfmpegPublisher {
  const child = spawn('ffmpeg', ['-v', 'error', ...sourceArguments(options, true), ...outputOptions, url], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString();
  });
  // It may have ended before it is told to.
  child.stdin.on('error', () => undefined);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    exited,
    log: () => log,
    stop: async () => {
      child.stdin.write('q');
      await exited;
    },
  };
}
