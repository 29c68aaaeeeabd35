/**
 * One FFmpeg that encodes for relays: feeds it tags, reads tags back, and ends it. The only place of the relays that
 * knows a child process.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { InputGate } from '../encode/input_gate.ts';
import type { SourceDescription } from '../encode/encode_plan.ts';
import { flvHeader, flvTags } from '../flv/flv_writer.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { FlvTagReader } from '../flv/flv_tag_reader.ts';
import { transcodeArguments } from './transcode_arguments.ts';
import type { TranscodeSettings } from './transcode_settings.ts';

export interface TranscodeRunOptions {
  /** Path of FFmpeg, or its name on PATH. */
  readonly ffmpeg: string;
  readonly source: SourceDescription;
  readonly settings: TranscodeSettings;
  readonly onTag: (tag: MediaTag) => void;
  /** Called once, when FFmpeg is gone. `lastLine` is the end of its log. */
  readonly onExit: (exit: { readonly code: number | null; readonly lastLine: string }) => void;
}

const MAX_LOG_TAIL = 500;

export class TranscodeRun {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #gate: InputGate;
  #ended = false;
  #logTail = '';

  constructor(options: TranscodeRunOptions) {
    const { ffmpeg, source, settings, onTag, onExit } = options;
    const tracks = { hasVideo: source.video !== undefined, hasAudio: source.audio !== undefined };
    this.#gate = new InputGate(tracks);
    this.#child = spawn(ffmpeg, transcodeArguments(source, settings), {
      stdio: ['pipe', 'pipe', 'pipe'],
      // The environment of this program holds secrets, which FFmpeg has no use for.
      env: { PATH: process.env['PATH'] ?? '', AV_LOG_FORCE_NOCOLOR: '1' },
    });
    this.#child.once('error', (error) => this.#log(`FFmpeg could not be run: ${error.message}`));
    // FFmpeg may go away while a write is under way; its exit tells what matters.
    this.#child.stdin.on('error', () => (this.#ended = true));
    const reader = new FlvTagReader(onTag);
    this.#child.stdout.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#log(error instanceof Error ? error.message : String(error));
        this.kill();
      }
    });
    this.#child.stderr.setEncoding('utf8');
    this.#child.stderr.on('data', (text: string) => this.#log(text));
    this.#child.once('close', (code) => {
      this.#ended = true;
      onExit({ code, lastLine: this.#logTail.trimEnd().split('\n').at(-1) ?? '' });
    });
    this.#child.stdin.write(flvHeader({ audio: tracks.hasAudio, video: tracks.hasVideo }));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What FFmpeg cannot take in time is dropped up to the next key frame. */
  write(tag: MediaTag): void {
    if (this.#ended) return;
    const admitted = this.#gate.admit(tag, this.#child.stdin.writableLength);
    if (admitted !== undefined) this.#child.stdin.write(flvTags([admitted]));
  }

  /** Closes stdin: FFmpeg gives out what it has, and exits. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#child.stdin.end();
  }

  kill(): void {
    this.#ended = true;
    this.#child.kill('SIGKILL');
  }

  #log(text: string): void {
    this.#logTail = (this.#logTail + text.replaceAll(/[^\x20-\x7e\n]/g, ' ')).slice(-MAX_LOG_TAIL);
  }
}
