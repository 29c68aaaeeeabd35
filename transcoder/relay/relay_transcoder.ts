/**
 * The one encode that all transcoded relays of a session share: follows the publisher's source, keeps an FFmpeg running
 * on it, and gives what comes out to a feed of its own.
 */
import type { Clock } from '../clock.ts';
import { inspectAudioTag } from '../flv/audio_tag.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { inspectVideoTag } from '../flv/video_tag.ts';
import type { Logger } from '../logger.ts';
import { EpochTimeline } from '../stream/epoch_timeline.ts';
import { SourceTracker } from '../stream/source_tracker.ts';
import { RelayFailure } from './relay_error.ts';
import type { RelayFeed } from './relay_feed.ts';
import { pauseAfter } from './relay_pause.ts';
import type { TranscodeSettings } from './transcode_settings.ts';
import { TranscodeRun } from './transcode_run.ts';

export interface RelayTranscoderOptions {
  readonly ffmpeg: string;
  readonly settings: TranscodeSettings;
  /** Gets what was encoded. */
  readonly feed: RelayFeed;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Called once when it begins to fail, not at every further attempt. */
  readonly onFailing: (failure: RelayFailure) => void;
}

interface Run {
  readonly process: TranscodeRun;
  readonly timeline: EpochTimeline;
  lastOutputAtMs: number;
  hasOutput: boolean;
  /** Set once its end was asked for: calls off the kill that follows. */
  cancelKill: (() => void) | undefined;
}

/** Input flows but nothing comes out: FFmpeg hangs, ms. */
const HANG_MS = 10_000;
const CHECK_MS = 1000;
/** An FFmpeg that is asked to end gets this long to give out what it has, ms. */
const END_MS = 5000;
/** An FFmpeg that lived this long has earned a fresh count, ms. */
const HEALTHY_MS = 30_000;

export class RelayTranscoder {
  readonly #options: RelayTranscoderOptions;
  readonly #stopChecks: () => void;
  #tracker: SourceTracker;
  #run: Run | undefined;
  #startedAtMs = 0;
  #lastInputAtMs = 0;
  #failures = 0;
  #pausedUntilMs = 0;
  #ended = false;

  constructor(options: RelayTranscoderOptions) {
    this.#options = options;
    this.#tracker = new SourceTracker(options.clock);
    this.#stopChecks = options.clock.every(CHECK_MS, () => this.#check());
  }

  /** The process id of the FFmpeg that runs now. */
  get pid(): number | undefined {
    return this.#run?.process.pid;
  }

  /** The publisher is gone; another may come. */
  restart(): void {
    this.#endRun();
    this.#tracker = new SourceTracker(this.#options.clock);
  }

  /** For good. */
  end(): void {
    this.#ended = true;
    this.#stopChecks();
    this.#endRun();
  }

  push(tag: MediaTag): void {
    if (this.#ended) return;
    const { isStart, changed } = this.#inspect(tag);
    // FFmpeg takes a header in its stride or not: a new run is sure.
    if (changed) this.#endRun();
    if (this.#run === undefined && isStart) this.#start(tag);
    if (this.#run === undefined || tag.kind === 'metadata') return;
    const now = this.#options.clock.monotonicMs();
    const placement = this.#run.timeline.place(tag.kind, tag.timestampMs, now);
    if (placement.kind === 'jump') this.#endRun();
    if (placement.kind !== 'at') return;
    this.#lastInputAtMs = now;
    this.#run.process.write({ ...tag, timestampMs: placement.timestampMs });
  }

  /** Tells the tracker. `changed`: the running encode was begun for another source. */
  #inspect(tag: MediaTag): { readonly isStart: boolean; readonly changed: boolean } {
    const tracker = this.#tracker;
    if (tag.kind === 'metadata') {
      tracker.metadata(tag);
      return { isStart: false, changed: false };
    }
    if (tag.kind === 'audio') {
      const audio = inspectAudioTag(tag.body);
      if (audio?.packet === 'sequence-header') return { isStart: false, changed: tracker.audioHeader(tag) };
      if (audio?.packet !== 'frames') return { isStart: false, changed: false };
      const changed = audio.codec !== 'aac' && tracker.headerlessAudio(tag);
      return { isStart: !tracker.hasVideo, changed };
    }
    const video = inspectVideoTag(tag.body);
    if (video?.packet === 'sequence-header') return { isStart: false, changed: tracker.videoHeader(tag) };
    if (video?.packet !== 'frame') return { isStart: false, changed: false };
    if (video.codec === 'h264') tracker.videoFrame(tag.timestampMs);
    else tracker.headerlessVideo(tag);
    return { isStart: video.keyFrame, changed: false };
  }

  #start(first: MediaTag): void {
    const { ffmpeg, settings, clock, logger } = this.#options;
    const now = clock.monotonicMs();
    if (now < this.#pausedUntilMs) return;
    let process: TranscodeRun;
    try {
      const source = this.#tracker.describe();
      if (source === undefined) return;
      process = new TranscodeRun({
        ffmpeg,
        source,
        settings,
        onTag: (tag) => this.#output(run, tag),
        onExit: ({ code, lastLine }) => this.#exited(run, code, lastLine),
      });
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error), error);
      return;
    }
    const run: Run = {
      process,
      timeline: new EpochTimeline(first.timestampMs),
      lastOutputAtMs: now,
      hasOutput: false,
      cancelKill: undefined,
    };
    this.#run = run;
    this.#startedAtMs = now;
    this.#tracker.epochOpened();
    logger.info({ ffmpegPid: process.pid }, 'FFmpeg was started for relays');
    for (const header of this.#tracker.headers()) process.write(header);
  }

  #output(run: Run, tag: MediaTag): void {
    run.lastOutputAtMs = this.#options.clock.monotonicMs();
    // What a run that was ended still gives out is in front of the next one's, or too late.
    if (run !== this.#run && this.#run?.hasOutput === true) return;
    if (tag.kind === 'video' && inspectVideoTag(tag.body)?.packet === 'sequence-end') return;
    if (!run.hasOutput) this.#options.feed.restart();
    run.hasOutput = true;
    this.#options.feed.push(tag);
  }

  #check(): void {
    const run = this.#run;
    if (run === undefined) return;
    const waitsMs = this.#lastInputAtMs - run.lastOutputAtMs;
    if (waitsMs >= HANG_MS) run.process.kill();
  }

  #exited(run: Run, code: number | null, lastLine: string): void {
    if (run.cancelKill !== undefined) {
      run.cancelKill();
      return;
    }
    this.#run = undefined;
    if (this.#options.clock.monotonicMs() - this.#startedAtMs >= HEALTHY_MS) this.#failures = 0;
    this.#failed(`FFmpeg ended by itself (${code ?? 'killed'})${lastLine === '' ? '' : `: ${lastLine}`}`);
  }

  #failed(reason: string, cause?: unknown): void {
    const { clock, random, logger, onFailing } = this.#options;
    this.#failures += 1;
    const pauseMs = pauseAfter(this.#failures, random());
    this.#pausedUntilMs = clock.monotonicMs() + pauseMs;
    logger.warn({ reason, failures: this.#failures, retryInMs: pauseMs }, 'the encode for relays failed');
    if (this.#failures === 1) onFailing(new RelayFailure('encoder', 'the encode for relays failed', { cause }));
  }

  #endRun(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    run.process.end();
    run.cancelKill = this.#options.clock.after(END_MS, () => run.process.kill());
  }
}
