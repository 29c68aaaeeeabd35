/**
 * The small objects of recordings that say what a recording is and who may watch it. What cannot be read is no
 * permission: the methods reject, and who asks refuses.
 */
import type { Epoch, SessionId, StreamId } from '../../../contracts/ids.ts';
import { isSessionId } from '../../../contracts/ids.ts';
import {
  recordingEpochSchema,
  recordingKey,
  recordingSessionSchema,
  recordingSummarySchema,
} from '../../../contracts/recording.ts';
import type { RecordingEpoch, RecordingSession, RecordingSummary, StoreKey } from '../../../contracts/recording.ts';
import type { PlaybackPolicy } from '../../../contracts/registry.ts';
import { parsePayload } from '../../../contracts/schema.ts';
import type * as z from 'zod/mini';
import type { RecordingSource } from './recording_source.ts';
import { Remembered } from './remembered.ts';

export interface CatalogOptions {
  readonly source: RecordingSource;
  readonly monotonicMs: () => number;
  readonly shareWork: boolean;
  /** The store failed and something known from before stands in. */
  readonly onStale: (error: unknown) => void;
}

const SMALL_LIMITS = { timeoutMs: 4000, maxBytes: 2 ** 20 };
/** How long what never changes is believed: a recording may be deleted. */
const FOUND_FRESH_MS = 60_000;
const MISSING_FRESH_MS = 2000;
const SESSIONS_FRESH_MS = 10_000;
/** Names read from one stream's folder: epochs and recordings. */
const MAX_FOLDERS = 5000;

export class RecordingCatalog {
  readonly #source: RecordingSource;
  readonly #sessions: Remembered<RecordingSession | undefined>;
  readonly #epochs: Remembered<RecordingEpoch | undefined>;
  readonly #summaries: Remembered<RecordingSummary | undefined>;
  readonly #lists: Remembered<readonly SessionId[]>;

  constructor({ source, ...options }: CatalogOptions) {
    this.#source = source;
    const found = {
      ...options,
      freshMs: (value: unknown) => (value === undefined ? MISSING_FRESH_MS : FOUND_FRESH_MS),
    };
    this.#sessions = new Remembered({
      ...found,
      limit: 1000,
      read: async (key) => this.#read(key, recordingSessionSchema),
    });
    this.#epochs = new Remembered({
      ...found,
      limit: 10_000,
      read: async (key) => this.#read(key, recordingEpochSchema),
    });
    this.#summaries = new Remembered({
      ...found,
      limit: 100,
      read: async (key) => this.#read(key, recordingSummarySchema),
    });
    this.#lists = new Remembered({
      ...options,
      limit: 1000,
      freshMs: () => SESSIONS_FRESH_MS,
      read: async (prefix) => this.#list(prefix),
    });
  }

  async session(streamId: StreamId, sessionId: SessionId): Promise<RecordingSession | undefined> {
    const session = await this.#sessions.get(recordingKey.session(streamId, sessionId));
    return session?.streamId === streamId && session.sessionId === sessionId ? session : undefined;
  }

  async epoch(streamId: StreamId, epoch: Epoch): Promise<RecordingEpoch | undefined> {
    const found = await this.#epochs.get(recordingKey.epoch(streamId, epoch));
    return found?.streamId === streamId && found.epoch === epoch ? found : undefined;
  }

  /** Who may watch the recording: its session's word, else that of its summary. Undefined: there is no such recording. */
  async policy(streamId: StreamId, sessionId: SessionId): Promise<PlaybackPolicy | undefined> {
    const session = await this.session(streamId, sessionId);
    if (session !== undefined) return session.playback;
    const summary = await this.#summaries.get(recordingKey.summary(streamId, sessionId));
    return summary?.streamId === streamId && summary.sessionId === sessionId ? summary.playback : undefined;
  }

  /** Recorded sessions of a stream, oldest first. */
  async sessions(streamId: StreamId): Promise<readonly SessionId[]> {
    return this.#lists.get(`${streamId}/vod-`);
  }

  async #list(prefix: StoreKey): Promise<readonly SessionId[]> {
    const { folders } = await this.#source.list(prefix, {
      timeoutMs: SMALL_LIMITS.timeoutMs,
      limit: MAX_FOLDERS,
      folders: true,
    });
    return folders.map((name) => name.slice(prefix.length, -1)).filter(isSessionId);
  }

  async #read<Schema extends z.ZodMiniType>(key: StoreKey, schema: Schema): Promise<z.infer<Schema> | undefined> {
    const object = await this.#source.get(key, SMALL_LIMITS);
    if (object === undefined) return undefined;
    return parsePayload(schema, JSON.parse(new TextDecoder().decode(object.body)), key);
  }
}
