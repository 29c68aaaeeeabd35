/**
 * What stands of a recording now: composed from its indexes and tails while the show goes on, or final. A read finds
 * what is new by one list, and fetches only what changed.
 */
import type { SessionId, StreamId } from '../../../contracts/ids.ts';
import { recordingIndexSchema, recordingKey } from '../../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex, RecordingSession } from '../../../contracts/recording.ts';
import { recordingTimeline } from '../../../contracts/recording_timeline.ts';
import type { RecordingTimeline } from '../../../contracts/recording_timeline.ts';
import { parsePayload } from '../../../contracts/schema.ts';
import { lacksSealed, settledEpochs, wantedIndexes } from './index_objects.ts';
import type { KnownIndex, WantedIndex } from './index_objects.ts';
import type { RecordingCatalog } from './recording_catalog.ts';
import type { Listing, RecordingSource } from './recording_source.ts';
import { Remembered } from './remembered.ts';

export interface RecordingState {
  /** The ETag of its summary: it stands when static playlists do. Undefined while the show goes on. */
  readonly final: string | undefined;
  readonly session: RecordingSession;
  /** Of a final recording empty: its playlists say it. */
  readonly timeline: RecordingTimeline;
  /** Parsed indexes by key, so that the next read fetches what changed. */
  readonly indexes: ReadonlyMap<string, KnownIndex>;
}

export interface RecordingStatesOptions {
  readonly source: RecordingSource;
  readonly catalog: RecordingCatalog;
  readonly monotonicMs: () => number;
  readonly shareWork: boolean;
  readonly onStale: (error: unknown) => void;
}

const LIVE_FRESH_MS = 1000;
const FINAL_FRESH_MS = 30_000;
const MISSING_FRESH_MS = 2000;
const LIST_TIMEOUT_MS = 4000;
/** A day of one index a minute, and some. */
const MAX_OBJECTS = 5000;
const INDEX_LIMITS = { timeoutMs: 5000, maxBytes: 2 ** 22 };
const PARALLEL_READS = 16;
/** An epoch that has a successor and did not change for so long grows no more. */
const SETTLED_AFTER_MS = 60_000;
/** Recordings in memory; twelve hours of three renditions are about 8 MB. */
const MAX_RECORDINGS = 16;

export class RecordingStates {
  readonly #options: RecordingStatesOptions;
  readonly #states: Remembered<RecordingState | undefined>;

  constructor(options: RecordingStatesOptions) {
    this.#options = options;
    this.#states = new Remembered({
      ...options,
      limit: MAX_RECORDINGS,
      freshMs: (state) =>
        state === undefined ? MISSING_FRESH_MS : state.final === undefined ? LIVE_FRESH_MS : FINAL_FRESH_MS,
      read: async (key, known) => {
        const [streamId, sessionId] = key.split('/');
        return this.#read(streamId as StreamId, sessionId as SessionId, known);
      },
    });
  }

  /** Undefined: there is no such recording. @throws when the store cannot say and nothing is known */
  async get(streamId: StreamId, sessionId: SessionId): Promise<RecordingState | undefined> {
    // What strangers guess costs no list, and no place among the few that are kept.
    if ((await this.#options.catalog.session(streamId, sessionId)) === undefined) return undefined;
    return this.#states.get(`${streamId}/${sessionId}`);
  }

  async #read(
    streamId: StreamId,
    sessionId: SessionId,
    known: RecordingState | undefined,
  ): Promise<RecordingState | undefined> {
    const session = await this.#options.catalog.session(streamId, sessionId);
    if (session === undefined) return undefined;
    for (let attempt = 1; ; attempt += 1) {
      const listing = await this.#list(streamId, sessionId);
      const summary = listing.objects.find(({ key }) => key === recordingKey.summary(streamId, sessionId));
      if (summary !== undefined) {
        return {
          final: summary.etag,
          session,
          timeline: recordingTimeline(session, [], { final: true }),
          indexes: NONE,
        };
      }
      const indexes = await this.#readIndexes(session, listing, known?.indexes ?? NONE);
      // A tail was sealed between the list and the read: its segments are in an index that the list did not show.
      if (attempt === 1 && lacksSealed(indexes.values())) continue;
      const timeline = recordingTimeline(
        session,
        [...indexes.values()].map(({ index }) => index),
        { final: false, settled: settledEpochs(indexes.values(), listing.nowMs, SETTLED_AFTER_MS) },
      );
      // What was listed once stays, whatever a read that came at a bad moment shows.
      const isLess = known?.final === undefined && (known?.timeline.rows.length ?? 0) > timeline.rows.length;
      return {
        final: undefined,
        session,
        timeline: isLess && known !== undefined ? known.timeline : timeline,
        indexes,
      };
    }
  }

  async #list(streamId: StreamId, sessionId: SessionId): Promise<Listing> {
    const options = { timeoutMs: LIST_TIMEOUT_MS, limit: MAX_OBJECTS };
    return this.#options.source.list(recordingKey.folder(streamId, sessionId), options);
  }

  async #readIndexes(
    { streamId, sessionId }: RecordingSession,
    listing: Listing,
    known: ReadonlyMap<string, KnownIndex>,
  ): Promise<ReadonlyMap<string, KnownIndex>> {
    const indexes = new Map<string, KnownIndex>();
    const missing: WantedIndex[] = [];
    for (const wanted of wantedIndexes(listing, streamId, sessionId, known)) {
      const before = known.get(wanted.object.key);
      if (before?.etag === wanted.object.etag) indexes.set(wanted.object.key, before);
      else missing.push(wanted);
    }
    const readNext = async (): Promise<void> => {
      for (let wanted = missing.pop(); wanted !== undefined; wanted = missing.pop()) {
        const read = await this.#readIndex(wanted);
        if (read !== undefined) indexes.set(wanted.object.key, read);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL_READS, missing.length) }, readNext));
    return indexes;
  }

  async #readIndex({ object: { key, modifiedAtMs }, serials }: WantedIndex): Promise<KnownIndex | undefined> {
    const object = await this.#options.source.get(key, INDEX_LIMITS);
    if (object === undefined) return undefined;
    const index = parsePayload(recordingIndexSchema, JSON.parse(new TextDecoder().decode(object.body)), key);
    return { etag: object.etag, modifiedAtMs, serials, index: withoutDigests(index) };
  }
}

const NONE: ReadonlyMap<string, KnownIndex> = new Map();

/** What playlists need: half of the memory. */
function withoutDigests(index: RecordingIndex): RecordingIndex {
  const entries: Record<string, IndexEntry[]> = {};
  for (const [rendition, list] of Object.entries(index.entries)) {
    entries[rendition] = list.map(({ msn, duration, pdt, size }) =>
      size === undefined ? { msn, duration, pdt } : { msn, duration, pdt, size },
    );
  }
  return { ...index, entries };
}
