/**
 * Starts an epoch for real: FFmpeg, and the packager behind it.
 */
import { startEncoder } from '../encode/encoder.ts';
import type { Encoder, EncoderExit } from '../encode/encoder.ts';
import type { EncoderSettings } from '../encode/encoder_settings.ts';
import { OUTPUT_OFFSET_SECONDS } from '../encode/ffmpeg_arguments.ts';
import type { EncodePlan } from '../encode/encode_plan.ts';
import type { Clock } from '../clock.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { inspectVideoTag } from '../flv/video_tag.ts';
import type { Logger } from '../logger.ts';
import { EpochPackager } from '../package/epoch_packager.ts';
import { hasPicture } from './epoch_run.ts';
import type { EpochRun, EpochRunOptions } from './epoch_run.ts';
import { EPOCH_START_MS } from './epoch_timeline.ts';
import type { SessionWindow } from './session_window.ts';

export interface RunDependencies {
  readonly ffmpeg: string;
  readonly encoder: EncoderSettings;
  readonly segmentSeconds: number;
  readonly targetDuration: () => number;
  readonly window: SessionWindow;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A pipe that gave more than this has given media and not only its header. */
const HEADER_BYTES = 2048;

/** The publisher's bitrate is known well enough after this much media, ms. */
const RATE_KNOWN_MS = 2000;

type Chunk = { readonly kind: 'video' | 'audio'; readonly index: number; readonly data: Buffer };

class FfmpegRun implements EpochRun {
  readonly #options: EpochRunOptions;
  readonly #dependencies: RunDependencies;
  readonly #encoder: Encoder;
  readonly #exited: Promise<void>;
  /** What came before the packager took over: until then the epoch before may still hold its picture. */
  #early: Chunk[] = [];
  readonly #earlyBytes = new Map<number, number>();
  /** Times of key frames that went in before there was a packager, seconds. */
  #announced: number[] = [];
  #packager: EpochPackager | undefined;
  #hasOutput = false;
  #ending = false;
  /** What FFmpeg still had is not wanted. */
  #killed = false;
  #writtenBytes = 0;
  /** On the epoch's timeline, ms. */
  #writtenToMs = 0;
  #lastOutputAtMs: number;
  /** What the playlist waits for: sound alone is no progress where there should be a picture. */
  readonly #wanted: Chunk['kind'];

  constructor(options: EpochRunOptions, dependencies: RunDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#lastOutputAtMs = dependencies.clock.monotonicMs();
    this.#wanted = hasPicture(options.plan) ? 'video' : 'audio';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#encoder = startEncoder({
      ffmpeg: dependencies.ffmpeg,
      plan: options.plan,
      settings: dependencies.encoder,
      headStartBytes: options.backlogBytes,
      startSeconds: options.skipUntilMs === undefined ? undefined : options.skipUntilMs / 1000,
      monotonicMs: () => dependencies.clock.monotonicMs(),
      startTimer: (callback, delayMs) => dependencies.clock.after(delayMs, callback),
      onLogLine: (line) => dependencies.logger.debug({ epoch: options.epoch, line }, 'FFmpeg'),
      outputs: {
        onVideo: (index, data) => this.#guarded(() => this.#output({ kind: 'video', index, data })),
        onAudio: (index, data) => this.#guarded(() => this.#output({ kind: 'audio', index, data })),
        onPoster: (jpeg) => dependencies.window.setPoster(jpeg),
        onExit: (exit) => {
          this.#guarded(() => this.#exit(exit));
          resolve();
        },
      },
    });
    dependencies.logger.info({ epoch: options.epoch, ffmpegPid: this.#encoder.pid }, 'FFmpeg was started');
  }

  get epoch() {
    return this.#options.epoch;
  }

  get plan(): EncodePlan {
    return this.#options.plan;
  }

  get hasOutput(): boolean {
    return this.#hasOutput;
  }

  get lastOutputAtMs(): number {
    return this.#lastOutputAtMs;
  }

  get lagMs(): number {
    const spanMs = this.#writtenToMs - EPOCH_START_MS;
    return spanMs < RATE_KNOWN_MS ? 0 : (this.#encoder.stats().bytesQueued * spanMs) / this.#writtenBytes;
  }

  write(tag: MediaTag): void {
    this.#writtenBytes += tag.body.length;
    this.#writtenToMs = Math.max(this.#writtenToMs, tag.timestampMs);
    if (tag.kind === 'video' && this.#options.plan.followsSource) this.#announceKeyFrame(tag);
    this.#encoder.write(tag);
  }

  async finish(): Promise<void> {
    this.#ending = true;
    this.#encoder.end();
    await this.#exited;
    this.#packager?.finish();
  }

  kill(): void {
    this.#ending = true;
    this.#killed = true;
    this.#encoder.kill();
    this.#early = [];
    this.#packager?.finish();
  }

  flushLate(nowMs: number): void {
    this.#packager?.flushLate(nowMs);
  }

  hold(seconds: number): boolean {
    return this.#packager?.hold(seconds) ?? false;
  }

  /** Segments end where the source's key frames stand: the packager is told before FFmpeg gives them out. */
  #announceKeyFrame(tag: MediaTag): void {
    const info = inspectVideoTag(tag.body);
    if (info?.keyFrame !== true) return;
    const seconds = OUTPUT_OFFSET_SECONDS + (tag.timestampMs + info.compositionTimeMs) / 1000;
    if (this.#packager === undefined) this.#announced.push(seconds);
    else this.#packager.announceKeyFrame(seconds);
  }

  #output(chunk: Chunk): void {
    if (this.#killed) return;
    if (chunk.kind === this.#wanted) this.#lastOutputAtMs = this.#dependencies.clock.monotonicMs();
    if (this.#packager !== undefined) {
      this.#package(this.#packager, chunk);
      return;
    }
    this.#early.push(chunk);
    if (chunk.kind !== this.#wanted) return;
    const bytes = (this.#earlyBytes.get(chunk.index) ?? 0) + chunk.data.length;
    this.#earlyBytes.set(chunk.index, bytes);
    if (bytes > HEADER_BYTES) this.#startPackaging();
  }

  #startPackaging(): void {
    const { epoch, plan, startedAtWallMs } = this.#options;
    const { window, segmentSeconds, targetDuration } = this.#dependencies;
    this.#packager = new EpochPackager({
      epoch,
      plan,
      segmentSeconds,
      window: window.open(plan, targetDuration()),
      anchor: { mediaSeconds: OUTPUT_OFFSET_SECONDS + EPOCH_START_MS / 1000, programDateTimeMs: startedAtWallMs },
      onTracks: (tracks) => window.tracksKnown(plan, tracks),
      onError: (error) => this.#packageError(error),
    });
    for (const seconds of this.#announced) this.#packager.announceKeyFrame(seconds);
    this.#announced = [];
    const early = this.#early;
    this.#early = [];
    for (const chunk of early) this.#package(this.#packager, chunk);
    this.#hasOutput = true;
    this.#options.onFirstOutput();
  }

  #package(packager: EpochPackager, { kind, index, data }: Chunk): void {
    if (kind === 'video') packager.video(index, data);
    else packager.audio(index, data);
    this.#dependencies.window.partAppended();
  }

  /** These calls come from FFmpeg's pipes: what is thrown there would end the whole program. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#packageError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #packageError(error: Error): void {
    this.#dependencies.logger.error({ epoch: this.epoch, err: error }, 'an output of FFmpeg could not be packaged');
    if (this.#ending) return;
    this.kill();
    this.#options.onFailure(`an output of FFmpeg could not be packaged: ${error.message}`);
  }

  #exit(exit: EncoderExit): void {
    const isLate = this.#packager === undefined && this.#earlyBytes.size > 0;
    if (isLate && this.#ending && !this.#killed) this.#startPackaging();
    this.#packager?.finish();
    this.#early = [];
    if (this.#ending) return;
    this.#ending = true;
    const how = exit.signal === null ? `with code ${exit.code ?? 'none'}` : `by ${exit.signal}`;
    this.#options.onFailure(`FFmpeg ended ${how}${exit.lastLines.length > 0 ? `: ${exit.lastLines.at(-1)}` : ''}`);
  }
}

export function openEpochRun(options: EpochRunOptions, dependencies: RunDependencies): EpochRun {
  return new FfmpegRun(options, dependencies);
}
