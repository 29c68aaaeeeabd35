/**
 * One FFmpeg run: starts it, feeds it, drains all its pipes, and ends it. The only place that knows the child process.
 *
 * Tags come with rebased timestamps and go out as FLV; what arrives within one turn of the event loop costs one write.
 * The queue before FFmpeg is bounded: when it is full, tags are dropped up to the next key frame, and counted.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { flvHeader, flvTags, TAG_OVERHEAD_BYTES } from '../flv/flv_writer.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import type { EncodePlan } from './encode_plan.ts';
import { DEFAULT_ENCODER_SETTINGS } from './encoder_settings.ts';
import type { EncoderSettings } from './encoder_settings.ts';
import { buildFfmpegCommand } from './ffmpeg_arguments.ts';
import type { OutputPipe } from './ffmpeg_arguments.ts';
import { InputGate } from './input_gate.ts';
import { JpegSplitter } from './jpeg_splitter.ts';

/** Why FFmpeg is gone. */
export interface EncoderExit {
  /** Null when it was killed by a signal, or could not be started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines of FFmpeg's log, or why it could not be started; one text per line. */
  readonly lastLines: readonly string[];
}

/** Calls are synchronous; the buffers belong to the receiver. After `onExit` nothing is called. */
export interface EncoderOutputs {
  /** The next bytes of a rendition's fragmented MP4; cut anywhere. */
  readonly onVideo: (renditionIndex: number, chunk: Buffer) => void;
  /** The next bytes of the fragmented MP4 of `plan.audioBitrates[audioIndex]`. */
  readonly onAudio: (audioIndex: number, chunk: Buffer) => void;
  /** A whole picture. */
  readonly onPoster: (jpeg: Buffer) => void;
  /** Called exactly once, after the last byte of all pipes. */
  readonly onExit: (exit: EncoderExit) => void;
}

export interface EncoderOptions {
  /** Path of FFmpeg, or its name on PATH. */
  readonly ffmpeg: string;
  readonly plan: EncodePlan;
  readonly outputs: EncoderOutputs;
  readonly settings?: EncoderSettings;
  /** Time on stdin, seconds, before which nothing is given out; for plans that copy nothing. */
  readonly startSeconds?: number | undefined;
  /** Media that is written at once at the start: that much more may wait until FFmpeg has taken it. */
  readonly headStartBytes?: number;
  /** Milliseconds on a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Starts a timer and gives its canceller; for the deadline of `end`. */
  readonly startTimer?: (callback: () => void, delayMs: number) => () => void;
  /** How long `end` waits for FFmpeg to flush, ms. */
  readonly endDeadlineMs?: number;
  /** Each line of FFmpeg's log as it comes. */
  readonly onLogLine?: (line: string) => void;
}

export interface EncoderStats {
  /** Bytes that FFmpeg has not taken yet. */
  readonly bytesQueued: number;
  /** Tags that were dropped because FFmpeg fell behind. */
  readonly droppedTags: number;
  readonly tagsWritten: number;
  /** Monotonic ms of the newest output of each pipe, undefined before the first; posters are too rare to be counted. */
  readonly lastOutputAtMs: {
    /** By index of the rendition. */
    readonly video: readonly (number | undefined)[];
    readonly audio: readonly (number | undefined)[];
  };
}

export interface Encoder {
  /** Process id; undefined when FFmpeg could not be started. */
  readonly pid: number | undefined;
  /** Takes the next tag, sequence headers included. Metadata and foreign codecs are left out; after `end` nothing is taken. */
  write(tag: MediaTag): void;
  /** Closes stdin, so that FFmpeg flushes and exits; kills it at the deadline. May be called twice. */
  end(): void;
  /** Ends it at once. May be called twice. */
  kill(): void;
  stats(): EncoderStats;
}

const DEFAULT_END_DEADLINE_MS = 5000;
const MAX_LAST_LINES = 20;
const MAX_LINE_LENGTH = 500;

/** Starts FFmpeg. A program that cannot be started is told by `onExit`, never thrown. */
export function startEncoder(options: EncoderOptions): Encoder {
  return new FfmpegProcess(options);
}

class FfmpegProcess implements Encoder {
  readonly #options: EncoderOptions;
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  readonly #gate: InputGate;
  readonly #lastLines: string[] = [];
  readonly #videoAtMs: (number | undefined)[];
  readonly #audioAtMs: (number | undefined)[];
  #pending: MediaTag[] = [];
  #pendingBytes = 0;
  #flushScheduled = false;
  #tagsWritten = 0;
  /** `end` or `kill` was called, or FFmpeg is gone. */
  #ended = false;
  /** FFmpeg takes no input any more. */
  #deaf = false;
  #exited = false;
  #cancelDeadline: (() => void) | undefined;

  constructor(options: EncoderOptions) {
    this.#options = options;
    const { plan } = options;
    const { settings = DEFAULT_ENCODER_SETTINGS, startSeconds } = options;
    const { args, pipes } = buildFfmpegCommand(plan, settings, startSeconds);
    const hasVideo = plan.frameRate !== undefined;
    this.#gate = new InputGate({ hasVideo, hasAudio: plan.hasAudio }, options.headStartBytes);
    this.#videoAtMs = plan.renditions.map(() => undefined);
    this.#audioAtMs = plan.audioBitrates.map(() => undefined);
    this.#child = spawn(options.ffmpeg, args, {
      stdio: ['pipe', 'ignore', 'pipe', ...pipes.map(() => 'pipe' as const)],
      // The environment of this program holds secrets, which FFmpeg has no use for.
      env: { PATH: process.env['PATH'] ?? '', AV_LOG_FORCE_NOCOLOR: '1' },
    });
    // Before anything can throw: an 'error' that nobody listens to ends the whole program. Without file descriptors left
    // there are no pipes either.
    this.#child.once('error', (error) => this.#keepLine(`FFmpeg could not be run: ${error.message}`));
    this.#stdin = mustExist(this.#child.stdin);
    // FFmpeg may go away while a write is under way; its exit tells what matters.
    this.#stdin.on('error', () => {
      this.#deaf = true;
    });
    this.#readLog(mustExist(this.#child.stderr));
    for (const pipe of pipes) this.#drain(pipe, mustExist(this.#child.stdio[pipe.fd]) as Readable);
    // `close` comes after `exit` or `error` and after the end of all pipes.
    this.#child.once('close', (code, signal) => this.#onClose(code, signal));
    this.#stdin.write(flvHeader({ audio: plan.hasAudio, video: hasVideo }));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  write(tag: MediaTag): void {
    if (this.#ended || this.#deaf) return;
    const admitted = this.#gate.admit(tag, this.#bytesQueued());
    if (admitted === undefined) return;
    this.#pending.push(admitted);
    this.#pendingBytes += admitted.body.length + TAG_OVERHEAD_BYTES;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  end(): void {
    if (this.#ended) return;
    this.#flush();
    this.#ended = true;
    this.#stdin.end();
    const startTimer = this.#options.startTimer ?? startSystemTimer;
    this.#cancelDeadline = startTimer(() => this.kill(), this.#options.endDeadlineMs ?? DEFAULT_END_DEADLINE_MS);
  }

  kill(): void {
    this.#ended = true;
    // SIGKILL: FFmpeg may be stopped or stuck, and nothing that it would still write is wanted.
    if (!this.#exited) this.#child.kill('SIGKILL');
  }

  stats(): EncoderStats {
    return {
      bytesQueued: this.#bytesQueued(),
      droppedTags: this.#gate.droppedTags,
      tagsWritten: this.#tagsWritten,
      lastOutputAtMs: { video: [...this.#videoAtMs], audio: [...this.#audioAtMs] },
    };
  }

  #bytesQueued(): number {
    return this.#stdin.writableLength + this.#pendingBytes;
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#ended || this.#deaf || this.#pending.length === 0) return;
    this.#tagsWritten += this.#pending.length;
    this.#stdin.write(flvTags(this.#pending));
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Every pipe is read at all times: FFmpeg stops at the first one that is full. */
  #drain(pipe: OutputPipe, stream: Readable): void {
    stream.on('data', this.#receiver(pipe));
    stream.on('error', (error) => this.#keepLine(`pipe ${pipe.fd} of FFmpeg: ${error.message}`));
  }

  #receiver(pipe: OutputPipe): (chunk: Buffer) => void {
    const { outputs, monotonicMs } = this.#options;
    if (pipe.kind === 'video') {
      return (chunk) => {
        this.#videoAtMs[pipe.renditionIndex] = monotonicMs();
        outputs.onVideo(pipe.renditionIndex, chunk);
      };
    }
    if (pipe.kind === 'audio') {
      return (chunk) => {
        this.#audioAtMs[pipe.audioIndex] = monotonicMs();
        outputs.onAudio(pipe.audioIndex, chunk);
      };
    }
    const splitter = new JpegSplitter(outputs.onPoster);
    return (chunk) => splitter.push(chunk);
  }

  #readLog(stderr: Readable): void {
    let rest = '';
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      // A line without an end must not grow for ever.
      rest = (lines.pop() ?? '').slice(-MAX_LINE_LENGTH);
      for (const line of lines) this.#keepLine(line);
    });
    stderr.on('end', () => {
      if (rest !== '') this.#keepLine(rest);
    });
    stderr.on('error', (error) => this.#keepLine(`log of FFmpeg: ${error.message}`));
  }

  #keepLine(line: string): void {
    const clean = line
      .replaceAll(/\p{Cc}/gu, ' ')
      .trimEnd()
      .slice(0, MAX_LINE_LENGTH);
    if (clean === '') return;
    this.#lastLines.push(clean);
    if (this.#lastLines.length > MAX_LAST_LINES) this.#lastLines.shift();
    this.#options.onLogLine?.(clean);
  }

  #onClose(code: number | null, signal: NodeJS.Signals | null): void {
    this.#exited = true;
    this.#ended = true;
    this.#cancelDeadline?.();
    this.#pending = [];
    this.#options.outputs.onExit({
      // A program that could not be started closes with a negative errno.
      code: code !== null && code < 0 ? null : code,
      signal,
      lastLines: [...this.#lastLines],
    });
  }
}

function mustExist<Stream>(stream: Stream | null | undefined): Stream {
  if (stream === null || stream === undefined) throw new Error('spawn gave no stream for a pipe that was asked for');
  return stream;
}

function startSystemTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}
