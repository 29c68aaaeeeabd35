/**
 * Keeps an FFmpeg running for one publisher: opens an epoch when the source is known, replaces it at a key frame when
 * the source changes, restarts it with backoff when it dies or hangs, and gives up with a reason when it cannot live.
 */
import type { Epoch } from '../../contracts/ids.ts';
import type { Clock } from '../clock.ts';
import type { EncodePlan, SourceDescription } from '../encode/encode_plan.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import { hasPicture } from './epoch_run.ts';
import type { EpochRun, OpenEpochRun } from './epoch_run.ts';
import { EPOCH_START_MS, EpochTimeline } from './epoch_timeline.ts';
import type { GopBuffer } from './gop_buffer.ts';
import type { RestartBudget } from './restart_budget.ts';

/** Input flows but nothing comes out: FFmpeg hangs (FAULTS row 2: replaced within 10 s). */
export const HANG_MS = 5000;
/** Time that decoding what is not shown again may take, per ms of it. */
const DECODE_SHARE = 0.25;
/** Waits before the n-th restart without any output in between. */
const BACKOFF_MS: readonly number[] = [0, 250, 500, 1000, 2000];
/** Waits between claims while the control plane is away: first and longest. The session goes on with its picture held. */
const CLAIM_RETRY_MS = { first: 250, longest: 2000 };
/** Some frames before the first key frame are nothing to write about. */
const STRAYS_WORTH_A_LINE = 100;
/** An FFmpeg that lived this long has earned a fresh count. */
const HEALTHY_MS = 10_000;

export interface LaneOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly openRun: OpenEpochRun;
  /** Shared by all publishers of the session. */
  readonly budget: RestartBudget;
  /** A new fencing number for each run. @throws PublishRefused when another server has the stream */
  readonly claimEpoch: () => Promise<Epoch>;
  /** Undefined while the source is not yet known. @throws Error in one line when it cannot be served */
  readonly describe: () => SourceDescription | undefined;
  readonly plan: (source: SourceDescription) => EncodePlan;
  /** Metadata and sequence headers, to be written before media. */
  readonly headers: () => readonly MediaTag[];
  readonly backlog: GopBuffer;
  readonly onLive: (run: EpochRun) => void;
  /** A new FFmpeg stands in for one that failed, with media again. */
  readonly onRecovered?: (reason: string, failures: number) => void;
  /** Nothing can be made of this source. One line for the publisher and the log. */
  readonly onGiveUp: (reason: string) => void;
}

export class EncoderLane {
  readonly #options: LaneOptions;
  #run: EpochRun | undefined;
  #lastRun: EpochRun | undefined;
  #timeline: EpochTimeline | undefined;
  #opening = false;
  #stopped = false;
  #closing: Promise<void> = Promise.resolve();
  readonly #closingRuns = new Set<EpochRun>();
  #isClosing = false;
  #replaceReason: string | undefined;
  #failures = 0;
  /** Why the last FFmpeg failed, until another one gives media. */
  #failure: string | undefined;
  #openedAtMs = 0;
  #lastInputAtMs = 0;
  #hangMs = HANG_MS;
  /** The publisher's timestamp of the newest picture that the run was given. */
  #fedUntilMs: number | undefined;
  /** The same of the last run that gave media: viewers have had it, or will not miss it. */
  #shownUntilMs: number | undefined;
  #straysDropped = 0;
  #straysLogged = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** The run that makes media now. */
  get run(): EpochRun | undefined {
    return this.#run;
  }

  /** The run that made the newest media, to hold its picture. Undefined while it is still being flushed. */
  get lastRun(): EpochRun | undefined {
    return this.#isClosing ? undefined : this.#lastRun;
  }

  get straysDropped(): number {
    return this.#straysDropped;
  }

  /** True while nothing is coming out and nothing is about to. */
  get silent(): boolean {
    return !this.#isClosing && this.#run?.hasOutput !== true;
  }

  /** Media that is already in the backlog when it is worth keeping. */
  push(tag: MediaTag, startsGop: boolean): void {
    const now = this.#options.clock.monotonicMs();
    if (this.#run !== undefined && tag.kind === wantedKind(this.#run)) this.#lastInputAtMs = now;
    if (this.#run !== undefined && this.#replaceReason !== undefined && startsGop) this.#close(this.#replaceReason);
    if (this.#run === undefined) {
      this.#tryOpen();
      return;
    }
    if (!this.#write(tag, now)) {
      this.#close('the timestamps jumped');
      if (!startsGop) this.#options.backlog.clear();
      this.#tryOpen();
    }
  }

  /** The source changed: a new epoch begins with its next key frame. */
  replaceAtKeyFrame(reason: string): void {
    if (this.#run !== undefined) this.#replaceReason ??= reason;
  }

  /** A new epoch begins now, from the last key frame on. */
  replaceNow(reason: string): void {
    if (this.#run === undefined) return;
    this.#close(reason);
    this.#tryOpen();
  }

  /** Nothing arrives for long: the run is closed and opened again with the next key frame. */
  pause(reason: string): void {
    if (this.#run === undefined) return;
    this.#close(reason);
    this.#options.backlog.clear();
  }

  /** The publisher is gone: flushes and opens nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#run !== undefined) this.#close('the publisher is gone');
    await this.#closing;
  }

  /** Ends FFmpeg at once, also one that is still being flushed: `stop` resolves then. */
  kill(): void {
    for (const run of this.#closingRuns) run.kill();
  }

  /** Called a few times a second. */
  supervise(nowMs: number): void {
    const run = this.#run;
    if (run === undefined) {
      if (!this.#opening && !this.#stopped) this.#tryOpen();
      return;
    }
    run.flushLate(nowMs);
    if (run.hasOutput && nowMs - this.#openedAtMs > HEALTHY_MS) this.#failures = 0;
    const inputFlows = nowMs - this.#lastInputAtMs < 1000;
    if (inputFlows && nowMs - run.lastOutputAtMs > (run.hasOutput ? HANG_MS : this.#hangMs)) {
      run.kill();
      this.#failed(run, `FFmpeg gave nothing for ${HANG_MS / 1000} s while media arrived`);
    }
  }

  #write(tag: MediaTag, now: number): boolean {
    const track = tag.kind;
    if (track === 'metadata') return true;
    const placement = this.#timeline?.place(track, tag.timestampMs, now);
    if (placement === undefined || placement.kind === 'stray') {
      this.#straysDropped += 1;
      this.#logStrays(track);
      return true;
    }
    if (placement.kind === 'jump') return false;
    if (track === 'video') this.#fedUntilMs = tag.timestampMs;
    this.#run?.write({ kind: tag.kind, timestampMs: placement.timestampMs, body: tag.body });
    return true;
  }

  #logStrays(track: string): void {
    if (this.#straysLogged || this.#straysDropped < STRAYS_WORTH_A_LINE) return;
    this.#straysLogged = true;
    this.#options.logger.warn({ track }, 'dropped: its timestamps are far from the other track of the publisher');
  }

  #close(reason: string): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#leave(run);
    this.#isClosing = true;
    this.#options.logger.info({ epoch: run.epoch, reason }, 'epoch ends');
    this.#closingRuns.add(run);
    const closing = run
      .finish()
      .catch((error: unknown) => {
        this.#options.logger.error({ epoch: run.epoch, err: error }, 'the epoch could not be finished');
      })
      .finally(() => this.#closingRuns.delete(run));
    this.#closing = closing;
    void closing.finally(() => {
      if (this.#closing === closing) this.#isClosing = false;
    });
  }

  #leave(run: EpochRun): void {
    this.#run = undefined;
    this.#replaceReason = undefined;
    if (run.hasOutput) this.#shownUntilMs = this.#fedUntilMs;
  }

  /** Up to where the backlog was shown already, on the timeline of an epoch that begins with it; undefined: nothing to skip. */
  #skipUntilMs(plan: EncodePlan): number | undefined {
    const tags = this.#options.backlog.tags;
    const first = tags[0]?.timestampMs;
    const last = tags.findLast((tag) => tag.kind === 'video')?.timestampMs;
    const shown = this.#shownUntilMs;
    if (plan.followsSource || !hasPicture(plan)) return undefined;
    if (first === undefined || last === undefined || shown === undefined) return undefined;
    return shown > first && shown <= last ? shown - first + EPOCH_START_MS : undefined;
  }

  #tryOpen(): void {
    if (this.#opening || this.#stopped || this.#options.backlog.tags.length === 0) return;
    let source: SourceDescription | undefined;
    try {
      source = this.#options.describe();
    } catch (error) {
      this.#giveUp(error instanceof Error ? error.message : String(error));
      return;
    }
    if (source === undefined) return;
    this.#opening = true;
    this.#open()
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#failures += 1;
        this.#options.logger.error({ err: error, failures: this.#failures }, 'no epoch could be opened');
        if (error instanceof PublishRefused) this.#giveUp(why);
        else if (this.#failures > BACKOFF_MS.length) this.#giveUp(`the encoder could not be started: ${why}`);
      })
      .finally(() => {
        this.#opening = false;
      });
  }

  async #open(): Promise<void> {
    const { clock, backlog, budget, logger } = this.#options;
    const restraintMs = budget.take(clock.monotonicMs());
    if (restraintMs > 0)
      logger.warn({ waitMs: restraintMs }, 'the encoder was started too often, the next start waits');
    await this.#pause(Math.max(restraintMs, BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0));
    const [epoch] = await Promise.all([this.#claim(), this.#closing]);
    const source = this.#options.describe();
    const first = backlog.tags[0];
    if (this.#stopped || epoch === undefined || source === undefined || first === undefined) return;
    const now = clock.monotonicMs();
    const plan = this.#options.plan(source);
    const skipUntilMs = this.#skipUntilMs(plan);
    const run = this.#options.openRun({
      epoch,
      source,
      plan,
      ...(skipUntilMs === undefined ? {} : { skipUntilMs }),
      startedAtWallMs: backlog.beganAtWallMs,
      backlogBytes: backlog.byteLength,
      onFirstOutput: () => this.#onFirstOutput(run),
      onFailure: (reason) => this.#failed(run, reason),
    });
    this.#openedAtMs = now;
    this.#hangMs = HANG_MS + (skipUntilMs ?? 0) * DECODE_SHARE;
    this.#lastInputAtMs = now;
    this.#timeline = new EpochTimeline(first.timestampMs);
    this.#straysDropped = 0;
    this.#straysLogged = false;
    this.#run = run;
    this.#options.logger.info(
      { epoch, renditions: run.plan.renditions.map((rendition) => `${rendition.name}:${rendition.mode}`) },
      'epoch begins',
    );
    for (const tag of this.#options.headers()) run.write(tag);
    for (const tag of backlog.tags) this.#write(tag, now);
  }

  /** Undefined when nobody wants it any more. */
  async #claim(): Promise<Epoch | undefined> {
    for (let waitMs = CLAIM_RETRY_MS.first; !this.#stopped; waitMs = Math.min(2 * waitMs, CLAIM_RETRY_MS.longest)) {
      try {
        return await this.#options.claimEpoch();
      } catch (error) {
        if (error instanceof PublishRefused) throw error;
        this.#options.logger.warn({ err: error }, 'no new epoch: the registry could not be reached, asking again');
        await this.#pause(waitMs);
      }
    }
    return undefined;
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => this.#options.clock.after(ms, resolve));
  }

  #onFirstOutput(run: EpochRun): void {
    this.#lastRun = run;
    if (this.#failure !== undefined) this.#options.onRecovered?.(this.#failure, this.#failures);
    this.#failure = undefined;
    this.#options.onLive(run);
  }

  #failed(run: EpochRun, reason: string): void {
    if (this.#run !== run) return;
    this.#leave(run);
    this.#failures += 1;
    this.#failure = reason;
    this.#options.logger.error({ epoch: run.epoch, reason, failures: this.#failures }, 'the encoder failed');
    if (this.#failures > BACKOFF_MS.length) this.#giveUp(`the encoder failed ${this.#failures} times: ${reason}`);
    else this.#tryOpen();
  }

  #giveUp(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#options.onGiveUp(reason);
  }
}

/** What must flow in for media to come out. */
function wantedKind(run: EpochRun): MediaTag['kind'] {
  return hasPicture(run.plan) ? 'video' : 'audio';
}
