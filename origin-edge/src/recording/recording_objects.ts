/**
 * Everything that the edge answers from recordings, behind one door: playlists of recordings, clips, and media and
 * pictures that no media server holds any more.
 */
import type { RenditionName, SessionId, StreamId } from '../../../contracts/ids.ts';
import type { MediaPath } from '../../../contracts/media_paths.ts';
import type { ClipQuery } from '../../../contracts/recording_clip.ts';
import { playlistLines } from '../../../contracts/recording_playlist.ts';
import type { PlaylistLine } from '../../../contracts/recording_playlist.ts';
import type { PlaybackPolicy, StreamRecord } from '../../../contracts/registry.ts';
import { waitAtMost } from '../after.ts';
import type { After } from '../after.ts';
import { notFoundObject, unavailableObject } from '../stored_object.ts';
import type { StoredObject } from '../stored_object.ts';
import { RecordedMedia } from './recorded_media.ts';
import type { RecordedMediaPath } from './recorded_media.ts';
import { RecordingCatalog } from './recording_catalog.ts';
import type { RecordingSource } from './recording_source.ts';
import { RecordingStates } from './recording_states.ts';
import type { RecordingState } from './recording_states.ts';
import { standInMultivariant, standInPlaylist } from './stand_in.ts';
import { statusWithRecordings } from './stream_status.ts';
import { VodLoader } from './vod_loader.ts';
import type { VodPath } from './vod_loader.ts';

export interface RecordingObjectsOptions {
  readonly source: RecordingSource;
  readonly monotonicMs: () => number;
  readonly after: After;
  /** False where a promise of one request may not be awaited by another (Workers). */
  readonly shareWork: boolean;
  /** One line for the log: the store failed. `stale`: something known from before stands in. */
  readonly onFailure: (error: unknown, stale: boolean) => void;
}

export type LivePlaylistPath = MediaPath & { readonly kind: 'multivariant' | 'media' };

/** A media server that has not answered for so long is not waited for alone, ms. */
const HEDGE_MS = 1000;

export class RecordingObjects {
  readonly catalog: RecordingCatalog;
  readonly states: RecordingStates;
  readonly #options: RecordingObjectsOptions;
  readonly #media: RecordedMedia;
  readonly #vod: VodLoader;

  constructor(options: RecordingObjectsOptions) {
    const { source, monotonicMs, shareWork } = options;
    const memory = { monotonicMs, shareWork, onStale: (error: unknown) => options.onFailure(error, true) };
    this.#options = options;
    this.catalog = new RecordingCatalog({ source, ...memory });
    this.states = new RecordingStates({ source, catalog: this.catalog, ...memory });
    this.#media = new RecordedMedia({ source, catalog: this.catalog, monotonicMs });
    this.#vod = new VodLoader({ source, states: this.states, monotonicMs });
  }

  /** Never rejects: a store that cannot say is 503. */
  async vod(path: VodPath, clip: ClipQuery | undefined): Promise<StoredObject> {
    return this.#orUnavailable(this.#vod.load(path, clip));
  }

  /**
   * Media of an epoch: from its server as long as that holds it, else from the store; the other way round for what
   * belongs to an earlier session.
   * @param record what the registry says now; undefined: nothing
   * @param live asks the media server
   */
  async media(
    path: RecordedMediaPath,
    record: StreamRecord | undefined,
    live: () => Promise<StoredObject>,
  ): Promise<StoredObject> {
    if (record === undefined || path.epoch < record.startedAtMs) {
      const stored = await this.#orUnavailable(this.#media.media(path));
      // What is not recorded may still be in the grace of its server.
      return stored.status === 200 || record === undefined ? stored : found(await live(), stored);
    }
    return this.#hedged(live, async () => this.#orUnavailable(this.#media.media(path)));
  }

  /**
   * A live playlist: as its server gives it, else what the recording of the session shows.
   * @param record what the registry says now; undefined: nothing
   * @param live asks the media server; may give the last known playlist
   * @param waits the asker waits for what is yet to come: the server is given the time
   */
  async playlist(
    path: LivePlaylistPath,
    record: StreamRecord | undefined,
    live: () => Promise<StoredObject>,
    waits: boolean,
  ): Promise<StoredObject> {
    if (record === undefined) return live();
    const instead = async () => this.#standIn(path, record);
    if (!waits) return this.#hedged(live, instead);
    const object = await live();
    return object.status === 503 ? found(await instead(), object) : object;
  }

  async #standIn(path: LivePlaylistPath, record: StreamRecord): Promise<StoredObject> {
    const nowMs = this.#options.monotonicMs();
    const state = await this.state(path.streamId, record.sessionId);
    // Nothing of it is durable yet: its server says when it can be played.
    const isEmpty = state?.final === undefined && state?.timeline.rows.length === 0;
    if (state === undefined || isEmpty) return notFoundObject(nowMs);
    if (path.kind === 'multivariant') return standInMultivariant(state, nowMs);
    if (!state.timeline.renditions.includes(path.rendition)) return notFoundObject(nowMs);
    const lines =
      state.final === undefined
        ? playlistLines(state.timeline, path.rendition)
        : await this.finalLines(state, path.rendition);
    if (lines.length === 0) return notFoundObject(nowMs);
    return standInPlaylist(state, path.rendition, lines, record.state === 'ended', nowMs);
  }

  /** What the static playlist of a final recording lists; nothing when the store cannot say. */
  async finalLines(state: RecordingState, rendition: RenditionName): Promise<readonly PlaylistLine[]> {
    try {
      return await this.#vod.finalLines(state, rendition);
    } catch (error) {
      this.#options.onFailure(error, false);
      return [];
    }
  }

  /** `first` when it is there, and is so in a second; else what `instead` finds, else what `first` says in the end. */
  async #hedged(first: () => Promise<StoredObject>, instead: () => Promise<StoredObject>): Promise<StoredObject> {
    let answer: StoredObject | undefined;
    const asked = first().then((object) => (answer = object));
    await waitAtMost(
      this.#options.after,
      HEDGE_MS,
      asked.then(() => undefined),
    );
    if (answer?.status === 200) return answer;
    const stored = instead();
    // Neither a server nor a store that hangs keeps what the other has.
    return Promise.race([
      asked.then(async (object) => (object.status === 200 ? object : found(await stored, object))),
      stored.then(async (object) => found(object, asked)),
    ]);
  }

  /**
   * The stream's status with its recordings.
   * @param live as its server or the registry gives it
   */
  async status(streamId: StreamId, live: StoredObject): Promise<StoredObject> {
    if (live.status !== 200 && live.status !== 404) return live;
    const nowMs = this.#options.monotonicMs();
    try {
      const sessions = await this.catalog.sessions(streamId);
      if (live.status === 200) return statusWithRecordings(streamId, live, sessions, nowMs);
      const policy = await this.newestPolicy(streamId);
      return policy === undefined ? live : statusWithRecordings(streamId, undefined, sessions, nowMs).under(policy);
    } catch (error) {
      this.#options.onFailure(error, false);
      return live;
    }
  }

  /**
   * The stream's picture: as its server gives it, else that of its newest recording.
   * @param live as its server gave it
   */
  async poster(streamId: StreamId, live: StoredObject): Promise<StoredObject> {
    if (live.status === 200) return live;
    try {
      const sessionId = (await this.catalog.sessions(streamId)).at(-1);
      return sessionId === undefined ? live : found(await this.#media.poster(streamId, sessionId), live);
    } catch (error) {
      this.#options.onFailure(error, false);
      return live;
    }
  }

  /**
   * Who may watch what a path names, by the word of the recording itself. Undefined: there is no such recording.
   * @throws when the store cannot say: nobody may then
   */
  async policy(path: MediaPath): Promise<PlaybackPolicy | undefined> {
    if (path.kind === 'vod-multivariant' || path.kind === 'vod-media') {
      return this.catalog.policy(path.streamId, path.sessionId);
    }
    if (path.kind === 'init' || path.kind === 'segment' || path.kind === 'part') {
      return (await this.catalog.epoch(path.streamId, path.epoch))?.playback;
    }
    return undefined;
  }

  /** Of the stream's newest recording. Undefined: there is none. @throws when the store cannot say */
  async newestPolicy(streamId: StreamId): Promise<PlaybackPolicy | undefined> {
    const newest = (await this.catalog.sessions(streamId)).at(-1);
    return newest === undefined ? undefined : this.catalog.policy(streamId, newest);
  }

  /** What stands of a recording; undefined when there is none, or the store cannot say. */
  async state(streamId: StreamId, sessionId: SessionId): Promise<RecordingState | undefined> {
    try {
      return await this.states.get(streamId, sessionId);
    } catch (error) {
      this.#options.onFailure(error, false);
      return undefined;
    }
  }

  async #orUnavailable(work: Promise<StoredObject>): Promise<StoredObject> {
    try {
      return await work;
    } catch (error) {
      this.#options.onFailure(error, false);
      return unavailableObject(this.#options.monotonicMs());
    }
  }
}

function found<Otherwise>(first: StoredObject, otherwise: Otherwise): StoredObject | Otherwise {
  return first.status === 200 ? first : otherwise;
}
