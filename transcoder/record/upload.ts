/**
 * One object on its way to the recording store.
 */
import type { StoreKey } from '../../contracts/recording.ts';
import type { PutOptions } from '../../contracts/recording_store.ts';
import type { SpillOrigin } from './spill_record.ts';

export interface Upload {
  readonly key: StoreKey;
  /** Shared buffers, that are not to be written to. */
  readonly body: readonly Uint8Array[];
  /** Of the body, as far as memory is kept for it alone. */
  readonly bytes: number;
  readonly options: PutOptions;
  /** Overtakes what is not urgent. */
  readonly urgent?: boolean;
  /** Small, and worth nothing without: taken in whatever the bounds say. */
  readonly essential?: boolean;
  /** Not before this one is stored. */
  readonly needs?: QueuedUpload | undefined;
  /** What a later run must know to finish it; absent: it is never kept on disk. */
  readonly origin?: SpillOrigin;
}

/** `lost`: it was given up, for want of room. `left`: the program ends; a later run stores what was put on disk. */
export type UploadOutcome = 'stored' | 'lost' | 'left';

/** The bytes of an upload that was put on disk. */
export interface SpilledBody {
  readonly bytes: number;
  /** @throws Error when the file is gone or is not what was written */
  read(): Promise<Uint8Array>;
  remove(): Promise<void>;
}

export class QueuedUpload {
  readonly upload: Omit<Upload, 'body'>;
  readonly addedAtMs: number;
  readonly settled: Promise<UploadOutcome>;
  /** No attempt before this, monotonic ms. */
  notBeforeMs = 0;
  attempts = 0;
  /** It is being written to disk: no attempt meanwhile. */
  spilling = false;
  readonly #settle: (outcome: UploadOutcome) => void;
  /** Let go as soon as it is of no more use: whoever holds this item does not hold media. */
  #body: readonly Uint8Array[];
  #disk: SpilledBody | undefined;
  #outcome: UploadOutcome | undefined;

  constructor({ body, ...upload }: Upload, addedAtMs: number, disk?: SpilledBody) {
    this.upload = upload;
    this.addedAtMs = addedAtMs;
    this.#body = body;
    this.#disk = disk;
    const { promise, resolve } = Promise.withResolvers<UploadOutcome>();
    this.settled = promise;
    this.#settle = resolve;
  }

  get outcome(): UploadOutcome | undefined {
    return this.#outcome;
  }

  get disk(): SpilledBody | undefined {
    return this.#disk;
  }

  /** @throws Error when it is on disk and cannot be read */
  async read(): Promise<readonly Uint8Array[]> {
    return this.#disk === undefined ? this.#body : [await this.#disk.read()];
  }

  movedTo(disk: SpilledBody): void {
    this.#disk = disk;
    this.#body = [];
  }

  settle(outcome: UploadOutcome): void {
    this.#outcome ??= outcome;
    this.#body = [];
    this.#settle(outcome);
  }

  isReady(nowMs: number): boolean {
    if (this.spilling || nowMs < this.notBeforeMs) return false;
    return this.upload.needs === undefined || this.upload.needs.outcome === 'stored';
  }

  /** Bytes of memory that it takes. */
  get memoryBytes(): number {
    return this.#disk === undefined && this.#outcome === undefined ? this.upload.bytes : 0;
  }
}
