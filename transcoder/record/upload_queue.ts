/**
 * What waits to be stored, of all sessions of this transcoder. Memory is bounded: what waits for long goes to a bounded
 * folder, and what has room in neither is lost and said to be. While the store fails, one upload at a time tries it.
 */
import type { RecordingStore } from '../../contracts/recording_store.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { QueuedUpload } from './upload.ts';
import type { SpilledBody, Upload } from './upload.ts';

export interface UploadQueueOptions {
  readonly store: Pick<RecordingStore, 'put'>;
  /** Keeps an upload on disk. Rejects when there is no room, or the disk fails. */
  readonly spill: (item: QueuedUpload) => Promise<SpilledBody>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after' | 'every'>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Bytes that wait in memory. */
  readonly maxMemoryBytes: number;
  /** Uploads under way at once while the store is well; absent: 6. */
  readonly maxInFlight?: number;
  /** What has waited longer goes to disk, ms; absent: 10,000. */
  readonly spillAfterMs?: number;
  /** Longest pause between attempts, ms; absent: 5000. */
  readonly maxPauseMs?: number;
}

export interface UploadCounters {
  stored: number;
  storedBytes: number;
  lost: number;
  lostBytes: number;
  failures: number;
  spilled: number;
  spilledBytes: number;
}

const FIRST_PAUSE_MS = 200;
const LOOK_MS = 1000;
/** After the disk refused, it is not asked again for so long, ms. */
const SPILL_PAUSE_MS = 5000;

export class UploadQueue {
  readonly counters: UploadCounters = {
    stored: 0,
    storedBytes: 0,
    lost: 0,
    lostBytes: 0,
    failures: 0,
    spilled: 0,
    spilledBytes: 0,
  };
  readonly #options: UploadQueueOptions;
  readonly #urgent: QueuedUpload[] = [];
  readonly #line: QueuedUpload[] = [];
  readonly #inFlight = new Set<QueuedUpload>();
  readonly #stop: () => void;
  #memoryBytes = 0;
  /** Attempts that failed since one succeeded. */
  #failuresInARow = 0;
  #failingSinceMs = 0;
  #pausedUntilMs = 0;
  #lastFailure: string | undefined;
  #spilling: Promise<void> | undefined;
  #spillPausedUntilMs = 0;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(options: UploadQueueOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_MS, () => this.#pump());
  }

  /** Bytes that wait in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get waiting(): number {
    return this.#urgent.length + this.#line.length + this.#inFlight.size;
  }

  /** Why the last attempt failed; undefined once one succeeded. */
  get failure(): string | undefined {
    return this.#lastFailure;
  }

  /** How long no attempt has succeeded, ms; 0 while the store is well. */
  get failingForMs(): number {
    return this.#failuresInARow === 0 ? 0 : this.#options.clock.monotonicMs() - this.#failingSinceMs;
  }

  /** Never waits and never throws: what there is no room for is lost at once. */
  add(upload: Upload, disk?: SpilledBody): QueuedUpload {
    const item = new QueuedUpload(upload, this.#options.clock.monotonicMs(), disk);
    if (this.#closed) {
      void this.#leave(item);
      return item;
    }
    const hasRoom = this.#memoryBytes + item.memoryBytes <= this.#options.maxMemoryBytes;
    if ((!hasRoom && upload.essential !== true) || upload.needs?.outcome === 'lost') {
      this.counters.lost += 1;
      this.counters.lostBytes += upload.bytes;
      item.settle('lost');
      return item;
    }
    this.#memoryBytes += item.memoryBytes;
    (upload.urgent === true ? this.#urgent : this.#line).push(item);
    this.#pump();
    return item;
  }

  /** Puts on disk what can be finished by a later run, and starts nothing more. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#spilling;
    for (const item of [...this.#inFlight, ...this.#line, ...this.#urgent]) await this.#leave(item);
  }

  async #leave(item: QueuedUpload): Promise<void> {
    if (item.outcome !== undefined) return;
    if (item.upload.origin !== undefined && item.disk === undefined) {
      try {
        await this.#toDisk(item);
      } catch (error) {
        this.#options.logger.error({ err: error, key: item.upload.key }, 'not stored, and no room on disk: it is lost');
      }
    }
    item.settle('left');
  }

  #pump(): void {
    if (this.#closed) return;
    const nowMs = this.#options.clock.monotonicMs();
    const limit = this.#failuresInARow > 0 ? 1 : (this.#options.maxInFlight ?? 6);
    while (nowMs >= this.#pausedUntilMs && this.#inFlight.size < limit) {
      const item = take(this.#urgent, nowMs) ?? take(this.#line, nowMs);
      if (item === undefined) break;
      void this.#upload(item);
    }
    this.#spilling ??= this.#spillWhatIsDue().finally(() => {
      this.#spilling = undefined;
    });
  }

  async #upload(item: QueuedUpload): Promise<void> {
    this.#inFlight.add(item);
    const body = await this.#bodyOf(item);
    if (body === undefined) {
      this.#inFlight.delete(item);
      this.#settle(item, 'lost');
      return;
    }
    try {
      await this.#options.store.put(item.upload.key, body, item.upload.options);
      if (this.#failuresInARow > 0) {
        this.#options.logger.info(
          { failures: this.#failuresInARow, waiting: this.waiting },
          'recordings are stored again',
        );
      }
      this.#failuresInARow = 0;
      this.#pausedUntilMs = 0;
      this.#lastFailure = undefined;
      this.counters.stored += 1;
      this.counters.storedBytes += body.reduce((sum, chunk) => sum + chunk.byteLength, 0);
      this.#settle(item, 'stored');
    } catch (error) {
      this.#failed(item, error);
    } finally {
      this.#inFlight.delete(item);
      this.#pump();
    }
  }

  /** Undefined: what was on disk is not there any more. */
  async #bodyOf(item: QueuedUpload): Promise<readonly Uint8Array[] | undefined> {
    try {
      return await item.read();
    } catch (error) {
      this.#options.logger.error({ err: error, key: item.upload.key }, 'a spilled object cannot be read: it is lost');
      return undefined;
    }
  }

  #failed(item: QueuedUpload, error: unknown): void {
    const { clock, random, logger, maxPauseMs = 5000 } = this.#options;
    const nowMs = clock.monotonicMs();
    this.counters.failures += 1;
    if (this.#failuresInARow === 0) {
      this.#failingSinceMs = nowMs;
      logger.warn({ err: error, key: item.upload.key }, 'the recording store failed; it is tried again');
    }
    this.#failuresInARow += 1;
    this.#lastFailure = error instanceof Error ? error.message : String(error);
    item.attempts += 1;
    // Half of the pause is chance, so that many transcoders do not come back at once.
    const pauseAfter = (failures: number): number =>
      Math.min(maxPauseMs, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 16)) * (0.5 + random() / 2);
    const pauseMs = pauseAfter(this.#failuresInARow);
    this.#pausedUntilMs = nowMs + pauseMs;
    item.notBeforeMs = nowMs + pauseAfter(item.attempts);
    (item.upload.urgent === true ? this.#urgent : this.#line).unshift(item);
    clock.after(pauseMs, () => this.#pump());
  }

  #settle(item: QueuedUpload, outcome: 'stored' | 'lost'): void {
    if (item.outcome === undefined) this.#memoryBytes -= item.memoryBytes;
    if (outcome === 'lost') {
      this.counters.lost += 1;
      this.counters.lostBytes += item.upload.bytes;
    }
    item.settle(outcome);
    if (outcome === 'lost') this.#loseWhatNeeds(item);
    const { disk } = item;
    if (disk === undefined) return;
    disk.remove().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, key: item.upload.key }, 'a spilled file could not be removed');
    });
  }

  /** It would wait for ever, and a session's end for it. */
  #loseWhatNeeds(lost: QueuedUpload): void {
    for (const line of [this.#urgent, this.#line]) {
      for (const item of line.filter(({ upload }) => upload.needs === lost)) {
        line.splice(line.indexOf(item), 1);
        this.#settle(item, 'lost');
      }
    }
  }

  async #spillWhatIsDue(): Promise<void> {
    const { clock, maxMemoryBytes, spillAfterMs = 10_000, logger } = this.#options;
    for (;;) {
      const nowMs = clock.monotonicMs();
      if (this.#closed || nowMs < this.#spillPausedUntilMs) return;
      const item = this.#line.find((one) => one.disk === undefined && one.upload.origin !== undefined);
      if (item === undefined) return;
      if (nowMs - item.addedAtMs < spillAfterMs && this.#memoryBytes <= maxMemoryBytes / 2) return;
      try {
        await this.#toDisk(item);
      } catch (error) {
        this.#spillPausedUntilMs = clock.monotonicMs() + SPILL_PAUSE_MS;
        logger.warn({ err: error }, 'recordings cannot be kept on disk meanwhile');
      }
    }
  }

  async #toDisk(item: QueuedUpload): Promise<void> {
    item.spilling = true;
    try {
      const disk = await this.#options.spill(item);
      if (item.outcome !== undefined) {
        await disk.remove();
        return;
      }
      this.#memoryBytes -= item.memoryBytes;
      item.movedTo(disk);
      this.counters.spilled += 1;
      this.counters.spilledBytes += disk.bytes;
    } finally {
      item.spilling = false;
    }
  }
}

function take(line: QueuedUpload[], nowMs: number): QueuedUpload | undefined {
  const index = line.findIndex((item) => item.isReady(nowMs));
  return index < 0 ? undefined : line.splice(index, 1)[0];
}
