/**
 * Decodes stored media with FFmpeg to the last frame, and tells whether it had anything to complain of.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Stop at the first error instead of concealing it; times as they are; nothing is written anywhere. */
const ARGUMENTS = [
  ['-hide_banner', '-nostdin', '-nostats', '-v', 'error', '-xerror', '-err_detect', 'explode'],
  // The media comes from the store alone: nothing in it can name another file or address.
  // One thread: with several, an error in the last frames is not reported.
  ['-threads', '1', '-protocol_whitelist', 'pipe', '-copyts', '-f', 'mp4', '-i', 'pipe:0'],
  ['-map', '0', '-fps_mode', 'passthrough', '-f', 'null', '-'],
].flat();

export interface SegmentDecoder {
  /**
   * @param media an initialization segment and segments that follow each other
   * @returns FFmpeg's first complaint in one line; undefined: all of it decodes
   */
  decode(media: readonly Uint8Array[]): Promise<string | undefined>;
}

/** @param program FFmpeg: a path, or a name on PATH */
export function createSegmentDecoder(program: string): SegmentDecoder {
  return {
    async decode(media) {
      const child = spawn(program, ARGUMENTS, {
        stdio: ['pipe', 'ignore', 'pipe'],
        // The environment of this program holds the store's credentials, which FFmpeg has no use for.
        env: { PATH: process.env['PATH'] },
      });
      // It ends before it has read everything when something is wrong; its words tell that.
      child.stdin.on('error', () => undefined);
      child.stdin.end(Buffer.concat(media));
      const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
      const [log, [code, signal]] = await Promise.all([text(child.stderr), closed]);
      const complaint = log
        .split('\n')
        .map((line) => line.trim())
        .find((line) => line !== '');
      if (code === 0 && complaint === undefined) return undefined;
      return complaint ?? `FFmpeg ended with ${code ?? signal}`;
    },
  };
}
