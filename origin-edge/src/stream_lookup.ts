/**
 * Where each stream is, remembered for a second: one question at a time to the registry, the last known answer while
 * it is slow or silent, and no step back to an older epoch.
 */
import type { Epoch, StreamId } from '../../contracts/ids.ts';
import type { PlaybackPolicy, StreamRecord } from '../../contracts/registry.ts';
import { waitAtMost } from './after.ts';
import type { After } from './after.ts';
import { BoundedMap } from './bounded_map.ts';

/** The registry cannot be asked, and nothing is known from before. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}

export interface StreamLookupOptions {
  readonly resolve: (streamId: StreamId) => Promise<StreamRecord | undefined>;
  readonly monotonicMs: () => number;
  readonly after: After;
  /** False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork: boolean;
  readonly onFailure: (error: unknown) => void;
}

interface Entry {
  record: StreamRecord | undefined;
  /** Of the last record that there was: a stream that is gone stays as private as it was. */
  policy: PlaybackPolicy | undefined;
  /** Sessions before the present one, the newest last. */
  earlier: readonly Pick<StreamRecord, 'startedAtMs' | 'playback'>[];
  highestEpoch: number;
  /** When the registry last said something, or failed to. */
  answeredAtMs: number;
  /** When the registry last said that the stream is there. */
  presentAtMs: number;
  failed: boolean;
  pending: { readonly startedAtMs: number; readonly done: Promise<void> } | undefined;
}

/** How long an answer, positive or negative, is taken as it is. */
const MEMORY_MS = 1000;
/** How long a request waits for a slow registry when an older answer is at hand. */
const PATIENCE_MS = 300;
/** The same when nothing is known. */
const FIRST_PATIENCE_MS = 5000;
/** An emptied registry forgets streams that are live: heartbeats bring them back well within this time. */
const ABSENCE_BELIEVED_AFTER_MS = 30_000;
/** How old an answer may be for `refresh`, ms. */
export const REFRESH_MS = 200;
const MAX_STREAMS = 10_000;
const EARLIER_SESSIONS = 4;

export class StreamLookup {
  readonly #options: StreamLookupOptions;
  /** Streams that exist or did; strangers' guesses cannot push them out. */
  readonly #known = new BoundedMap<StreamId, Entry>(MAX_STREAMS);
  readonly #unknown = new BoundedMap<StreamId, Entry>(MAX_STREAMS);

  constructor(options: StreamLookupOptions) {
    this.#options = options;
  }

  /**
   * The stream's record; undefined: there is no such stream.
   * @throws RegistryUnavailable
   */
  async find(streamId: StreamId): Promise<StreamRecord | undefined> {
    return this.#findWithin(streamId, MEMORY_MS);
  }

  /** As `find`, but asks again unless the answer is only an instant old. For requests ahead of what is known. */
  async refresh(streamId: StreamId): Promise<StreamRecord | undefined> {
    return this.#findWithin(streamId, REFRESH_MS);
  }

  /** Who may watch, if this edge has ever known; never waits. */
  policy(streamId: StreamId): PlaybackPolicy | undefined {
    return this.#known.get(streamId)?.policy;
  }

  /**
   * Who may watch what is from an earlier session, if this edge has known that session: its server holds its media for
   * a while after the end, whatever the policy of the next one is.
   */
  policyBefore(streamId: StreamId, epoch: Epoch): PlaybackPolicy | undefined {
    const entry = this.#known.get(streamId);
    return entry?.earlier.findLast(({ startedAtMs }) => startedAtMs <= epoch)?.playback;
  }

  /** A playlist was seen that has this epoch: no record below it is believed from now on. */
  sawEpoch(streamId: StreamId, epoch: Epoch): void {
    const entry = this.#known.get(streamId);
    if (entry !== undefined && epoch > entry.highestEpoch) entry.highestEpoch = epoch;
  }

  /** The highest epoch that the registry or a playlist has shown; 0: none. */
  highestEpoch(streamId: StreamId): number {
    return this.#known.get(streamId)?.highestEpoch ?? 0;
  }

  async #findWithin(streamId: StreamId, maxAgeMs: number): Promise<StreamRecord | undefined> {
    const { monotonicMs, after } = this.#options;
    const entry = this.#known.get(streamId) ?? this.#unknown.get(streamId) ?? this.#newEntry(streamId);
    if (monotonicMs() - entry.answeredAtMs < maxAgeMs) return known(entry);
    const pending = this.#ask(streamId, entry);
    const patience = entry.record === undefined ? FIRST_PATIENCE_MS : PATIENCE_MS;
    const left = pending.startedAtMs + patience - monotonicMs();
    if (left > 0) await waitAtMost(after, left, pending.done);
    if (entry.record === undefined && entry.answeredAtMs < pending.startedAtMs) throw new RegistryUnavailable();
    return known(entry);
  }

  #newEntry(streamId: StreamId): Entry {
    const entry: Entry = {
      record: undefined,
      policy: undefined,
      earlier: [],
      highestEpoch: 0,
      answeredAtMs: Number.NEGATIVE_INFINITY,
      presentAtMs: Number.NEGATIVE_INFINITY,
      failed: false,
      pending: undefined,
    };
    this.#unknown.set(streamId, entry);
    return entry;
  }

  #ask(streamId: StreamId, entry: Entry): NonNullable<Entry['pending']> {
    if (entry.pending !== undefined) return entry.pending;
    const startedAtMs = this.#options.monotonicMs();
    const done = this.#options.resolve(streamId).then(
      (record) => this.#answered(streamId, entry, record),
      (error: unknown) => {
        entry.failed = true;
        entry.answeredAtMs = this.#options.monotonicMs();
        entry.pending = undefined;
        this.#options.onFailure(error);
      },
    );
    const pending = { startedAtMs, done };
    if (this.#options.shareWork) entry.pending = pending;
    return pending;
  }

  #answered(streamId: StreamId, entry: Entry, record: StreamRecord | undefined): void {
    const nowMs = this.#options.monotonicMs();
    entry.failed = false;
    entry.answeredAtMs = nowMs;
    entry.pending = undefined;
    if (record === undefined) {
      if (nowMs - entry.presentAtMs >= ABSENCE_BELIEVED_AFTER_MS) entry.record = undefined;
      return;
    }
    entry.presentAtMs = nowMs;
    if (record.epoch < entry.highestEpoch) return;
    const before = entry.record;
    if (before !== undefined && before.sessionId !== record.sessionId) {
      entry.earlier = [...entry.earlier, before].slice(-EARLIER_SESSIONS);
    }
    entry.record = record;
    entry.policy = record.playback;
    entry.highestEpoch = record.epoch;
    this.#unknown.delete(streamId);
    this.#known.set(streamId, entry);
  }
}

function known(entry: Entry): StreamRecord | undefined {
  if (entry.record === undefined && entry.failed) throw new RegistryUnavailable();
  return entry.record;
}
