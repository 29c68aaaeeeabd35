/**
 * Writes what an epoch's ledger says: a sealed index once a minute, between them a short tail as often as its bytes
 * allow, and a roll-up of every 30 sealed ones.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { INDEXES_PER_ROLL_UP, recordingKey } from '../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex, StoreKey } from '../../contracts/recording.ts';
import type { PutOptions } from '../../contracts/recording_store.ts';
import type { EpochLedger } from './epoch_ledger.ts';
import type { QueuedUpload, UploadOutcome } from './upload.ts';
import type { UploadQueue } from './upload_queue.ts';

export interface IndexWriterOptions {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly ledger: EpochLedger;
  readonly queue: Pick<UploadQueue, 'add'>;
  /** The epoch's first object, before which nothing is indexed. */
  readonly needs: QueuedUpload | undefined;
  readonly keepDays: number | undefined;
  readonly monotonicMs: () => number;
  /** Bytes of media that the session stored so far. */
  readonly mediaBytes: () => number;
  /** Bytes of indexes that the session wrote so far. */
  readonly indexBytes: { total: number };
}

const SEAL_MS = 60_000;
/** What a crash leaves unindexed is found by listing the bucket: a tail need not follow each segment. */
const TAIL_MS = 6000;
/** Bytes of all indexes against those of the media: the promise. */
const MAX_SHARE = 0.01;
/** What tails may take it to. */
const MAX_SHARE_WITH_TAILS = 0.006;

const SEALED: PutOptions = {
  contentType: CONTENT_TYPE.json,
  cacheControl: CACHE_POLICY.media.cacheControl(0),
};
const REWRITTEN: PutOptions = { contentType: CONTENT_TYPE.json, cacheControl: 'no-cache' };

export class IndexWriter {
  readonly #options: IndexWriterOptions;
  #sealedAtMs: number;
  #tailAtMs: number;
  /** The tail as it was written last. */
  #tail = '';
  /** One index at a time: a tail must not be there before the sealed one that it follows. */
  #writing: Promise<void> | undefined;
  #toRollUp: RecordingIndex[] = [];
  #rollUps: Promise<UploadOutcome>[] = [];

  constructor(options: IndexWriterOptions) {
    this.#options = options;
    this.#sealedAtMs = options.monotonicMs();
    this.#tailAtMs = this.#sealedAtMs - TAIL_MS;
  }

  /** Writes what is due. */
  look(): void {
    if (this.#writing !== undefined) return;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#sealedAtMs >= SEAL_MS) this.#write(() => this.#seal());
    else if (nowMs - this.#tailAtMs >= TAIL_MS) this.#write(() => this.#writeTail());
  }

  /** Seals what is left. Nothing may be on its way any more. Resolves when all is stored. */
  async finish(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#seal();
    await Promise.all(this.#rollUps);
  }

  #write(action: () => Promise<void>): void {
    this.#writing = action().finally(() => {
      this.#writing = undefined;
    });
  }

  async #seal(): Promise<void> {
    const { ledger, streamId, sessionId } = this.#options;
    const index = ledger.content();
    if (index === undefined) return;
    this.#sealedAtMs = this.#options.monotonicMs();
    const key = recordingKey.index(streamId, sessionId, index.epoch, index.serial);
    await this.#put(key, JSON.stringify(index), SEALED);
    ledger.sealed(index);
    this.#tail = '';
    this.#rollUp(index);
  }

  async #writeTail(): Promise<void> {
    const { ledger, streamId, sessionId, mediaBytes, indexBytes } = this.#options;
    const index = ledger.content();
    const text = index === undefined ? '' : JSON.stringify(index);
    if (text === this.#tail || indexBytes.total + text.length > mediaBytes() * MAX_SHARE_WITH_TAILS) return;
    this.#tailAtMs = this.#options.monotonicMs();
    await this.#put(recordingKey.tail(streamId, sessionId, ledger.epoch), text, REWRITTEN);
    this.#tail = text;
  }

  #rollUp(sealed: RecordingIndex): void {
    this.#toRollUp.push(sealed);
    if (this.#toRollUp.length < INDEXES_PER_ROLL_UP) return;
    const { streamId, sessionId, mediaBytes, indexBytes } = this.#options;
    const text = JSON.stringify(joined(this.#toRollUp, sealed));
    this.#toRollUp = [];
    // Readers do without it, where the media are as small as that.
    if (indexBytes.total + text.length > mediaBytes() * MAX_SHARE) return;
    this.#rollUps.push(this.#put(recordingKey.rollUp(streamId, sessionId, sealed.epoch, sealed.serial), text, SEALED));
  }

  #put(key: StoreKey, text: string, options: PutOptions): Promise<UploadOutcome> {
    const { queue, needs, keepDays, indexBytes } = this.#options;
    const body = Buffer.from(text);
    indexBytes.total += body.length;
    return queue.add({
      key,
      body: [body],
      bytes: body.length,
      options: keepDays === undefined ? options : { ...options, keepDays },
      urgent: true,
      essential: true,
      needs,
    }).settled;
  }
}

/** One index that says what `indexes` say, under the number of the last. */
function joined(indexes: readonly RecordingIndex[], last: RecordingIndex): RecordingIndex {
  const entries: Record<string, IndexEntry[]> = {};
  for (const index of indexes) {
    for (const [rendition, rows] of Object.entries(index.entries)) {
      const all = entries[rendition] ?? [];
      all.push(...rows);
      entries[rendition] = all;
    }
  }
  return { ...last, entries };
}
