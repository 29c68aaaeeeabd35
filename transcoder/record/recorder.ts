/**
 * The recorder of a transcoder: one queue to the store for all sessions, a companion for each session that is recorded,
 * and what an earlier run left on disk.
 */
import type { RecordingStore } from '../../contracts/recording_store.ts';
import type { RecordPolicy } from '../../contracts/registry.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';
import type { MakeCompanion } from '../stream/open_session.ts';
import { resumeSpilled } from './resume_spilled.ts';
import { SessionRecorder } from './session_recorder.ts';
import { SpillFolder } from './spill_folder.ts';
import { UploadQueue } from './upload_queue.ts';

export interface RecorderSettings {
  /** What is recorded of a stream that says nothing else. */
  readonly record: RecordPolicy;
  /** 0: until deleted by hand. */
  readonly keepDays: number;
  /** Bytes that wait for the store in memory. */
  readonly maxMemoryBytes: number;
  readonly spillFolder: string;
  readonly maxSpillBytes: number;
}

export interface RecorderOptions {
  readonly settings: RecorderSettings;
  readonly store: RecordingStore;
  readonly control: Pick<Control, 'notify' | 'finalizeVod'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** 16 random letters and digits or more. */
  readonly makeId: () => string;
}

const LOOK_MS = 500;
/** A store that has failed for so long is not waited for when the program ends, ms … */
const HOPELESS_MS = 10_000;
/** … but for so long, ms. */
const LAST_TRY_MS = 3000;

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #queue: UploadQueue;
  readonly #spill: SpillFolder;
  /** Sessions whose recording is not stored yet. */
  readonly #sessions = new Set<SessionRecorder>();
  #stopLooking: (() => void) | undefined;

  constructor(options: RecorderOptions) {
    const { settings, store, clock, logger, random, makeId } = options;
    this.#options = options;
    this.#spill = new SpillFolder({
      root: settings.spillFolder,
      maxBytes: settings.maxSpillBytes,
      runId: makeId(),
      logger,
    });
    this.#queue = new UploadQueue({
      store,
      spill: this.#spill.keep,
      clock,
      random,
      logger,
      maxMemoryBytes: settings.maxMemoryBytes,
    });
  }

  /** What is waiting and what became of it, for metrics. */
  get figures() {
    return {
      ...this.#queue.counters,
      waiting: this.#queue.waiting,
      memoryBytes: this.#queue.memoryBytes,
      diskBytes: this.#spill.bytes,
      failing: [...this.#sessions].filter((session) => session.isFailing).length,
    };
  }

  readonly companion: MakeCompanion = ({ streamId, sessionId, startedAtMs, grant, epoch, playback }, logger) => {
    const { settings, control, clock, makeId } = this.#options;
    const record = grant.record ?? settings.record;
    if (record === 'off') return undefined;
    const keepDays = grant.recordKeepDays ?? settings.keepDays;
    const recorder = new SessionRecorder({
      streamId,
      sessionId,
      startedAtMs,
      title: grant.title,
      playback,
      record,
      keepDays: keepDays === 0 ? undefined : keepDays,
      epoch,
      queue: this.#queue,
      control,
      clock,
      makeEventId: () => `evt_${makeId()}`,
      logger,
      onDone: () => this.#sessions.delete(recorder),
    });
    this.#sessions.add(recorder);
    return recorder;
  };

  /** Says in one line what is wrong with the store, and begins to store what an earlier run left. */
  async start(): Promise<void> {
    await this.#check();
    const { store, control, clock, logger } = this.#options;
    try {
      const adopted = await this.#spill.adopt();
      await resumeSpilled(adopted, { store, queue: this.#queue, control, clock, logger });
    } catch (error) {
      logger.error({ err: error }, 'what an earlier run left on disk cannot be read');
    }
  }

  async #check(): Promise<void> {
    const { store, logger } = this.#options;
    try {
      const problem = await store.check();
      if (problem !== undefined) logger.error({ problem }, `recordings cannot be stored: ${problem}; live goes on`);
    } catch (error) {
      logger.error({ err: error }, 'the recording store could not be checked; live goes on');
    }
  }

  /** The program is about to end: with a store that has failed for long, sessions are not waited for. */
  stopping(): void {
    const { clock } = this.#options;
    const sinceMs = clock.monotonicMs();
    this.#stopLooking ??= clock.every(LOOK_MS, () => {
      const isHopeless = this.#queue.failingForMs >= HOPELESS_MS && clock.monotonicMs() - sinceMs >= LAST_TRY_MS;
      if (isHopeless) void this.#queue.close();
    });
  }

  /** What is not stored by now is put on disk for a later run. */
  async close(): Promise<void> {
    this.#stopLooking?.();
    await this.#queue.close();
    await this.#spill.close();
  }
}
