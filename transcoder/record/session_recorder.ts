/**
 * Records one session from the window's memory: each finished segment as the bytes that viewers get, under the path
 * that they ask for, and beside them what makes a recording of it (contracts/recording.ts).
 */
import { createHash } from 'node:crypto';
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import { keyOfPath, recordingKey } from '../../contracts/recording.ts';
import type { RecordingEpoch, RecordingIndex, RecordingSession } from '../../contracts/recording.ts';
import type { PutOptions } from '../../contracts/recording_store.ts';
import type { PlaybackPolicy, RecordPolicy } from '../../contracts/registry.ts';
import type { SessionShape } from '../../contracts/stream_shape.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { Logger } from '../logger.ts';
import type { PublishedSegment, SegmentWindow } from '../package/segment_window.ts';
import type { SessionCompanion, SessionEnd } from '../stream/session_companion.ts';
import { EpochLedger } from './epoch_ledger.ts';
import { IndexWriter } from './index_writer.ts';
import { RecordingHealth } from './recording_health.ts';
import type { RecordingTrouble } from './recording_health.ts';
import type { QueuedUpload, UploadOutcome } from './upload.ts';
import type { UploadQueue } from './upload_queue.ts';

export interface SessionRecorderOptions {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly title: string | undefined;
  readonly playback: () => PlaybackPolicy;
  readonly record: Exclude<RecordPolicy, 'off'>;
  readonly keepDays: number | undefined;
  /** The newest epoch of the session here: events are reported under it. */
  readonly epoch: () => Epoch;
  readonly queue: Pick<UploadQueue, 'add' | 'failure'>;
  readonly control: Pick<Control, 'notify' | 'finalizeVod'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'every'>;
  /** A new event id, `evt_…`. */
  readonly makeEventId: () => string;
  readonly logger: Logger;
  /** All of it is stored, or given up. */
  readonly onDone: () => void;
}

interface OpenEpoch {
  readonly ledger: EpochLedger;
  readonly writer: IndexWriter;
  readonly needs: QueuedUpload;
  /** Initialization segments, by rendition. */
  readonly inits: Map<RenditionName, QueuedUpload>;
}

const LOOK_MS = 1000;
/** A recording keeps one picture: often enough that a crash leaves a recent one. */
const POSTER_MS = 60_000;

export class SessionRecorder implements SessionCompanion {
  readonly name = 'recorder';
  readonly #options: SessionRecorderOptions;
  readonly #health: RecordingHealth;
  readonly #epochs = new Map<Epoch, OpenEpoch>();
  /** Segments on their way. */
  readonly #media = new Set<QueuedUpload>();
  readonly #indexBytes = { total: 0 };
  readonly #stopLooking: () => void;
  #mediaBytes = 0;
  /** The program ends before all is stored: the rest is a later run's. */
  #isLeft = false;
  #window: SegmentWindow | undefined;
  #stopListening: () => void = () => undefined;
  #shape: SessionShape | undefined;
  #session: QueuedUpload | undefined;
  #poster: Buffer | undefined;
  #posterAtMs = Number.NEGATIVE_INFINITY;
  #posterUnderWay: Promise<unknown> | undefined;

  constructor(options: SessionRecorderOptions) {
    this.#options = options;
    this.#health = new RecordingHealth({
      clock: options.clock,
      failure: () => options.queue.failure,
      failing: (trouble) => this.#sayFailing(trouble),
      recovered: (lost) => this.#sayRecovered(lost),
    });
    this.#stopLooking = options.clock.every(LOOK_MS, () => this.#look());
  }

  get isFailing(): boolean {
    return this.#health.isFailing;
  }

  windowOpened(window: SegmentWindow): void {
    this.#window = window;
    this.#stopListening = window.onSegment((segment) => {
      try {
        this.#segment(segment);
      } catch (error) {
        // What is wrong with the recording must not reach the packager.
        this.#options.logger.error({ err: error, msn: segment.msn }, 'a segment was not recorded');
      }
    });
  }

  shapeKnown(shape: SessionShape): void {
    this.#shape ??= shape;
  }

  posterMade(jpeg: Buffer): void {
    this.#poster = jpeg;
    if (this.#options.clock.monotonicMs() - this.#posterAtMs >= POSTER_MS) this.#keepPoster();
  }

  async ended(how: SessionEnd): Promise<void> {
    this.#stopListening();
    while (this.#media.size > 0) await Promise.all([...this.#media].map(({ settled }) => settled));
    this.#stopLooking();
    this.#health.look();
    if (this.#session !== undefined && !this.#isLeft) await this.#finish(how);
    this.#options.onDone();
  }

  async #finish(how: SessionEnd): Promise<void> {
    const { streamId, sessionId, control, logger } = this.#options;
    await Promise.all([...this.#epochs.values()].map(({ writer }) => writer.finish()));
    await this.#posterUnderWay;
    this.#keepPoster();
    await this.#posterUnderWay;
    if (how === 'moved' || this.#isLeft) return;
    try {
      await control.finalizeVod({ streamId, sessionId });
    } catch (error) {
      logger.error({ err: error }, 'the recording is stored; making it final is left to the reaper');
    }
  }

  get #recorded(): readonly RenditionName[] {
    const names = this.#shape?.renditions.map(({ name }) => name) ?? [];
    // The shape's order is ascending by bandwidth.
    return this.#options.record === 'top' ? names.slice(-1) : names;
  }

  #segment(segment: PublishedSegment): void {
    const { rendition, epoch, msn } = segment;
    if (!this.#recorded.includes(rendition)) return;
    const { ledger, inits, needs } = this.#epochs.get(epoch) ?? this.#openEpoch(epoch);
    const entry = {
      msn,
      duration: rounded(segment.durationSeconds, 1e6),
      pdt: rounded(segment.programDateTimeMs, 1e3),
    };
    if (segment.gap || segment.bytes === 0) {
      ledger.gap(rendition, entry);
      return;
    }
    const known = inits.get(rendition);
    const init = known === undefined || known.outcome === 'lost' ? this.#storeInit(epoch, rendition) : known;
    if (init !== undefined) inits.set(rendition, init);
    const { streamId, sessionId, queue } = this.#options;
    const sha256 = sha256Of(segment.data);
    const stored = { ...entry, size: segment.bytes, sha256 };
    const settle = ledger.expect(rendition, stored);
    const item = queue.add({
      key: keyOfPath({ kind: 'segment', streamId, epoch, rendition, msn }),
      body: segment.data,
      bytes: segment.bytes,
      options: this.#mediaOptions(rendition, sha256),
      needs: init ?? needs,
      origin: { kind: 'segment', streamId, sessionId, epoch, rendition, entry: stored },
    });
    this.#health.watch(item);
    this.#media.add(item);
    void this.#follow(item, settle, segment.bytes);
  }

  async #follow(item: QueuedUpload, settle: (outcome: UploadOutcome) => void, bytes: number): Promise<void> {
    const outcome = await item.settled;
    settle(outcome);
    if (outcome === 'left') this.#isLeft = true;
    if (outcome === 'stored') this.#mediaBytes += bytes;
    this.#media.delete(item);
  }

  #openEpoch(epoch: Epoch): OpenEpoch {
    const { streamId, sessionId, playback, queue, keepDays, clock } = this.#options;
    this.#session ??= this.#openSession();
    const text: RecordingEpoch = { v: 1, streamId, sessionId, epoch, playback: playback() };
    const description = this.#storeText(recordingKey.epoch(streamId, epoch), text, this.#session);
    // An empty tail before the first media: by it an epoch is found that dies before it has anything to index.
    const tail: RecordingIndex = { v: 1, streamId, sessionId, epoch, serial: 0, inits: {}, entries: {} };
    const needs = this.#storeText(recordingKey.tail(streamId, sessionId, epoch), tail, description);
    const ledger = new EpochLedger({ streamId, sessionId }, epoch);
    const writer = new IndexWriter({
      streamId,
      sessionId,
      ledger,
      queue,
      needs,
      keepDays,
      monotonicMs: () => clock.monotonicMs(),
      mediaBytes: () => this.#mediaBytes,
      indexBytes: this.#indexBytes,
    });
    const opened = { ledger, writer, needs, inits: new Map<RenditionName, QueuedUpload>() };
    this.#epochs.set(epoch, opened);
    return opened;
  }

  /** The marker first: whatever else there is, a reaper finds it. */
  #openSession(): QueuedUpload {
    const { streamId, sessionId, startedAtMs, title, playback, record, keepDays } = this.#options;
    const marker = this.#storeText(recordingKey.open(streamId, sessionId), { v: 1, startedAtMs }, undefined);
    if (this.#shape === undefined) throw new Error('got a whole segment before the shape of the session');
    const session: RecordingSession = {
      v: 1,
      streamId,
      sessionId,
      startedAtMs,
      ...(title === undefined ? {} : { title }),
      playback: playback(),
      record,
      shape: this.#shape,
      renditions: [...this.#recorded],
      ...(keepDays === undefined ? {} : { keepDays }),
    };
    // Where the session was begun by another server, its object stands already.
    return this.#storeText(recordingKey.session(streamId, sessionId), session, marker);
  }

  #storeText(key: string, value: object, needs: QueuedUpload | undefined): QueuedUpload {
    const { streamId, sessionId, queue, keepDays } = this.#options;
    const body = Buffer.from(JSON.stringify(value));
    return queue.add({
      key,
      body: [body],
      bytes: body.length,
      options: {
        contentType: CONTENT_TYPE.json,
        cacheControl: CACHE_POLICY.media.cacheControl(0),
        onlyIfAbsent: true,
        ...(keepDays === undefined ? {} : { keepDays }),
      },
      essential: true,
      needs,
      origin: { kind: 'description', streamId, sessionId },
    });
  }

  #storeInit(epoch: Epoch, rendition: RenditionName): QueuedUpload | undefined {
    const { streamId, sessionId, queue } = this.#options;
    const opened = this.#epochs.get(epoch);
    const init = this.#window?.track(rendition)?.inits.get(epoch);
    if (init === undefined || opened === undefined) return undefined;
    const sha256 = sha256Of([init]);
    const item = queue.add({
      key: keyOfPath({ kind: 'init', streamId, epoch, rendition }),
      body: [init],
      bytes: init.length,
      options: this.#mediaOptions(rendition, sha256),
      essential: true,
      needs: opened.needs,
      origin: { kind: 'init', streamId, sessionId, epoch, rendition },
    });
    opened.ledger.initKnown(rendition, { size: init.length, sha256 });
    return item;
  }

  #mediaOptions(rendition: RenditionName, sha256: string): PutOptions {
    const { keepDays } = this.#options;
    const shape = this.#shape?.renditions.find(({ name }) => name === rendition);
    return {
      contentType: shape?.resolution === undefined ? CONTENT_TYPE.audio : CONTENT_TYPE.video,
      cacheControl: CACHE_POLICY.media.cacheControl(0),
      sha256,
      ...(keepDays === undefined ? {} : { keepDays }),
    };
  }

  #keepPoster(): void {
    const poster = this.#poster;
    if (poster === undefined || this.#session === undefined || this.#posterUnderWay !== undefined) return;
    const { streamId, sessionId, queue, keepDays, clock } = this.#options;
    this.#posterAtMs = clock.monotonicMs();
    this.#poster = undefined;
    this.#posterUnderWay = queue
      .add({
        key: recordingKey.poster(streamId, sessionId),
        body: [poster],
        bytes: poster.length,
        options: {
          contentType: CONTENT_TYPE.poster,
          cacheControl: CACHE_POLICY.poster.cacheControl(0),
          ...(keepDays === undefined ? {} : { keepDays }),
        },
        needs: this.#session,
        urgent: true,
      })
      .settled.finally(() => {
        this.#posterUnderWay = undefined;
      });
  }

  #look(): void {
    this.#health.look();
    for (const { writer } of this.#epochs.values()) writer.look();
  }

  #sayFailing(trouble: RecordingTrouble): void {
    this.#options.logger.error({ ...trouble }, 'recording.failing: segments are not being stored; live goes on');
    this.#notify('recording.failing', { ...trouble });
  }

  #sayRecovered(lost: number): void {
    this.#options.logger.info({ lost }, 'recording.recovered: segments are being stored again');
    this.#notify('recording.recovered', { lost });
  }

  #notify(type: 'recording.failing' | 'recording.recovered', data: Record<string, string | number>): void {
    const { control, streamId, sessionId, epoch, makeEventId, logger } = this.#options;
    control
      .notify({ id: makeEventId(), type, streamId, sessionId, epoch: epoch(), data })
      .catch((error: unknown) => logger.warn({ err: error, type }, 'the event could not be handed over'));
  }
}

function sha256Of(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

function rounded(value: number, scale: number): number {
  return Math.round(value * scale) / scale;
}
