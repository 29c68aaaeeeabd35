/**
 * Keeps the recordings of the one-machine run, where no Lambda and no lifecycle rule does: makes them final when their
 * show is over, makes final what an earlier run was killed over, and deletes those whose days are over.
 */
import { makeSessionId } from '../contracts/ids.ts';
import type { FinalizeVodRequest } from '../contracts/function_calls.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { expireRecordings } from '../functions/expire_recordings.ts';
import type { FinalizeVod } from '../functions/finalize_vod.ts';
import { listRecordingFolder, recordingEpochs } from '../functions/finalize_vod/read_recording.ts';
import { listOpenRecordings } from '../functions/open_recordings.ts';
import type { Clock } from '../transcoder/clock.ts';
import type { Logger } from '../transcoder/logger.ts';

export interface RecordingKeeperOptions {
  readonly store: Pick<RecordingStore, 'get' | 'list' | 'head' | 'delete'>;
  readonly finalize: FinalizeVod;
  /**
   * A bucket: other machines may be recording into it, and its lifecycle rules delete what is too old. A folder is this
   * machine's alone.
   */
  readonly isShared: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;
const SWEEP_MS = 86_400_000;
/** In a shared store a recording in which nothing is new after this time does not go on elsewhere: several segments' time. */
const QUIET_MS = 15_000;
/** When recordings that went on elsewhere are looked at again. */
const LOOK_AGAIN_MS = 120_000;

export class RecordingKeeper {
  readonly #options: RecordingKeeperOptions;
  /** By recording: the last finalisation that was asked for. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #cancels = new Set<() => void>();
  #closed = false;

  constructor(options: RecordingKeeperOptions) {
    this.#options = options;
  }

  /** Taken on at once, and tried again until it is done. What a run does not get done, the next one does. */
  readonly finalizeVod = (request: FinalizeVodRequest): Promise<void> => {
    this.#take(request, FIRST_RETRY_MS);
    return Promise.resolve();
  };

  /** Begins to look after what earlier runs left. */
  start(): void {
    const { clock, isShared } = this.#options;
    const startedAtMs = clock.wallMs();
    void this.#finalizeOrphans(startedAtMs);
    if (isShared) return;
    void this.#sweep();
    this.#cancels.add(clock.every(SWEEP_MS, () => void this.#sweep()));
  }

  /** Waits for what is under way, and tries nothing again. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#cancels) cancel();
    await Promise.all(this.#running.values());
  }

  #take(request: FinalizeVodRequest, retryMs: number): void {
    const name = `${request.streamId}/${request.sessionId}`;
    // One after the other: the later one knows of segments that came since.
    const before = this.#running.get(name) ?? Promise.resolve();
    const run = before.then(() => this.#finalize(request, retryMs));
    this.#running.set(name, run);
    void run.finally(() => {
      if (this.#running.get(name) === run) this.#running.delete(name);
    });
  }

  /** Never rejects. */
  async #finalize(request: FinalizeVodRequest, retryMs: number): Promise<void> {
    const { finalize, clock, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const reply = await finalize(request);
      const ms = Math.round(clock.monotonicMs() - startedMs);
      logger.info({ ...request, ...reply, ms }, 'the recording is final');
    } catch (error) {
      logger.warn({ ...request, err: error }, 'the recording could not be made final yet');
      if (this.#closed) return;
      const cancel = clock.after(retryMs, () => {
        this.#cancels.delete(cancel);
        this.#take(request, Math.min(2 * retryMs, LONGEST_RETRY_MS));
      });
      this.#cancels.add(cancel);
    }
  }

  /**
   * Sessions of this run are not over.
   * @param before of recordings in a shared store, their newest object at the last look
   */
  async #finalizeOrphans(startedAtMs: number, before: ReadonlyMap<string, number> = new Map()): Promise<void> {
    const { store, logger, isShared } = this.#options;
    const firstOfThisRun = makeSessionId(startedAtMs, new Uint8Array(10));
    const newest = new Map<string, number>();
    let lookAgainMs: number | undefined;
    try {
      for await (const request of listOpenRecordings(store)) {
        if (this.#closed || request.sessionId >= firstOfThisRun) continue;
        const changedAtMs = isShared ? await this.#changedAtMs(request) : 0;
        const lastMs = isShared ? before.get(request.sessionId) : 0;
        if (changedAtMs === lastMs) {
          this.#take({ streamId: request.streamId, sessionId: request.sessionId }, FIRST_RETRY_MS);
        } else {
          newest.set(request.sessionId, changedAtMs);
          lookAgainMs = lastMs === undefined ? QUIET_MS : (lookAgainMs ?? LOOK_AGAIN_MS);
        }
      }
    } catch (error) {
      logger.warn({ err: error }, 'recordings that an earlier run left open cannot be listed');
      lookAgainMs = LOOK_AGAIN_MS;
    }
    if (lookAgainMs === undefined || this.#closed) return;
    const { clock } = this.#options;
    const cancel = clock.after(lookAgainMs, () => {
      this.#cancels.delete(cancel);
      void this.#finalizeOrphans(startedAtMs, newest);
    });
    this.#cancels.add(cancel);
  }

  /** When the newest object of a recording came, by the store's clock. */
  async #changedAtMs({ streamId, sessionId }: FinalizeVodRequest): Promise<number> {
    const { store } = this.#options;
    const folder = await listRecordingFolder(store, streamId, sessionId);
    let newestMs = 0;
    for (const { modifiedAtMs } of folder.values()) newestMs = Math.max(newestMs, modifiedAtMs);
    const epoch = recordingEpochs(folder, streamId, sessionId).at(-1);
    if (epoch === undefined) return newestMs;
    for await (const { modifiedAtMs } of store.list(`${streamId}/${epoch}/`))
      newestMs = Math.max(newestMs, modifiedAtMs);
    return newestMs;
  }

  async #sweep(): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      for await (const expired of expireRecordings(store, clock.wallMs())) {
        logger.info({ ...expired }, 'a recording was deleted: its days are over');
        if (this.#closed) return;
      }
    } catch (error) {
      logger.warn({ err: error }, 'recordings whose days are over could not be deleted');
    }
  }
}
