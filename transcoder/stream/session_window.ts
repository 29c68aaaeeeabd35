/**
 * The live window of one session, from before its shape is known: readers may ask at any time and wait until there is
 * something to see.
 */
import type { RenditionName, StreamId } from '../../contracts/ids.ts';
import type { CarryOn } from '../../contracts/registry.ts';
import type { SessionShape } from '../../contracts/stream_shape.ts';
import type { Clock } from '../clock.ts';
import type { EncodePlan } from '../encode/encode_plan.ts';
import { framesPerSecond } from '../encode/frame_rate.ts';
import { peakBandwidth } from '../encode/ladder.ts';
import type { RenditionTracks } from '../package/epoch_packager.ts';
import { renderMultivariantPlaylist } from '../package/multivariant_playlist.ts';
import { SegmentWindow } from '../package/segment_window.ts';
import { StreamWindowView } from '../package/stream_window_view.ts';
import type { PlaylistReply, StreamView } from '../serve/stream_view.ts';
import type { SessionCompanions, SessionEnd } from './session_companion.ts';

/** AAC frames per second at 48 kHz: what the parts of audio alone are counted in. */
const AAC_FRAMES_PER_SECOND = 48_000 / 1024;
/** PART-HOLD-BACK in part targets: at least two, three are advised (RFC 8216bis section 4.4.3.8). Measured: docs/decisions/0005. */
const HOLD_BACK_PARTS = 2;
/** How long a reader waits for a session that has just begun, ms. */
const START_PATIENCE_MS = 8000;

export interface SessionWindowOptions {
  readonly streamId: StreamId;
  readonly carryOn: CarryOn;
  /** True when the session has already published elsewhere. */
  readonly resumed: boolean;
  readonly segmentSeconds: number;
  readonly clock: Clock;
  readonly companions: SessionCompanions;
  readonly onShape?: () => void;
}

interface Opened {
  readonly window: SegmentWindow;
  readonly view: StreamWindowView;
}

export class SessionWindow {
  readonly #options: SessionWindowOptions;
  readonly #changes = new Set<() => void>();
  #opened: Opened | undefined;
  #shape: SessionShape | undefined;
  #multivariant: string | undefined;
  #poster: Buffer | undefined;
  #ended = false;
  #moved = false;

  constructor(options: SessionWindowOptions) {
    this.#options = options;
    this.#shape = options.carryOn.shape;
  }

  /** The session goes on at another server: media stays, playlists are to be asked for there. */
  get moved(): boolean {
    return this.#moved;
  }

  /** What the multivariant playlist promises, once it does. */
  get shape(): SessionShape | undefined {
    return this.#shape;
  }

  /** Names of the renditions that the playlists have: fixed with the first epoch that gave media, before its codecs are known. */
  get renditions(): readonly RenditionName[] | undefined {
    return this.#shape?.renditions.map(({ name }) => name) ?? this.#opened?.window.options.renditions;
  }

  /** PART-TARGET, seconds, once it is fixed. */
  get partTarget(): number | undefined {
    return this.#shape?.partTarget ?? this.#opened?.window.options.partTarget;
  }

  /** Rises with every part. */
  get version(): number {
    return this.#opened?.window.version ?? 0;
  }

  get targetDuration(): number | undefined {
    return this.#shape?.targetDuration ?? this.#opened?.window.options.targetDuration;
  }

  /** The window that an epoch's packager writes to, made with the first epoch's plan. */
  open(plan: EncodePlan, targetDuration: number): SegmentWindow {
    this.#opened ??= this.#make(plan, this.#shape?.targetDuration ?? targetDuration);
    return this.#opened.window;
  }

  /** Fixes the shape of the session with the first epoch's codec headers. */
  tracksKnown(plan: EncodePlan, tracks: readonly RenditionTracks[]): void {
    const window = this.#opened?.window;
    if (this.#shape !== undefined || window === undefined) return;
    const peaks = peakBandwidth(plan, this.#options.segmentSeconds);
    const frameRate =
      plan.frameRate === undefined ? undefined : Math.round(framesPerSecond(plan.frameRate) * 1000) / 1000;
    this.#shape = {
      targetDuration: window.options.targetDuration,
      partTarget: window.options.partTarget,
      renditions: tracks.map(({ name, codecs, resolution }, index) => {
        const rendition = plan.renditions[index];
        const bandwidth = peaks[index] ?? 1;
        const average = Math.ceil(((rendition?.videoBitrate ?? 0) + (rendition?.audioBitrate ?? 0)) * 1.02);
        return {
          name,
          codecs,
          bandwidth,
          averageBandwidth: Math.min(bandwidth, average),
          ...(resolution === undefined ? {} : { resolution }),
          ...(resolution === undefined || frameRate === undefined ? {} : { frameRate }),
        };
      }),
    };
    this.#options.companions.tell('shapeKnown', this.#shape);
    this.#options.onShape?.();
    this.#changed();
  }

  /** A part was appended: those who wait for the first one look again. */
  partAppended(): void {
    if (this.#changes.size > 0) this.#changed();
  }

  setPoster(jpeg: Buffer): void {
    this.#poster = jpeg;
    this.#options.companions.tell('posterMade', jpeg);
  }

  setInterrupted(interrupted: boolean): void {
    this.#opened?.window.setInterrupted(interrupted);
  }

  /** Resolves with the next segment that is whole, or after `patienceMs`. */
  segmentEnd(patienceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        stop?.();
        resolve();
      };
      const cancel = this.#options.clock.after(patienceMs, done);
      const stop = this.#opened?.window.onSegment(done);
    });
  }

  /** @param how `moved`: no ENDLIST; who asks is to look for the next server */
  markEnded(how: SessionEnd = 'ended'): void {
    this.#ended = true;
    this.#moved = how === 'moved';
    this.#opened?.window.markEnded();
    this.#changed();
  }

  carryOn(): CarryOn {
    const window = this.#opened?.window;
    const shape = this.#shape === undefined ? {} : { shape: this.#shape };
    if (window === undefined) return { ...this.#options.carryOn, ...shape };
    const { nextMsn, discontinuitySequence, programDateTimeEndMs } = window;
    return { nextMsn, discontinuitySequence, programDateTimeEndMs, ...shape };
  }

  readonly view: Omit<StreamView, 'status' | 'streamId'> = {
    multivariant: async (signal) => {
      await this.#until(() => this.#playable, signal);
      const epoch = this.#opened?.window.epoch;
      if (this.#moved || this.#shape === undefined || epoch === undefined || !this.#playable) return undefined;
      this.#multivariant ??= renderMultivariantPlaylist(this.#shape);
      return { text: this.#multivariant, epoch, targetDuration: this.#shape.targetDuration };
    },
    mediaPlaylist: async (rendition, request, signal): Promise<PlaylistReply> => {
      await this.#until(() => this.#opened !== undefined, signal);
      const reply = await this.#opened?.view.mediaPlaylist(rendition, request, signal);
      return reply === undefined || this.#moved ? { outcome: 'not-found' } : reply;
    },
    init: (epoch, rendition) => this.#opened?.view.init(epoch, rendition),
    segment: (epoch, rendition, msn) => this.#opened?.view.segment(epoch, rendition, msn),
    part: (...args) => this.#opened?.view.part(...args) ?? Promise.resolve(undefined),
    poster: () => this.#poster,
  };

  get #playable(): boolean {
    return this.#shape !== undefined && this.#opened?.window.tracks.every((track) => track.last !== undefined) === true;
  }

  #make(plan: EncodePlan, targetDuration: number): Opened {
    const { streamId, carryOn, resumed } = this.#options;
    const partRate = plan.frameRate === undefined ? AAC_FRAMES_PER_SECOND : framesPerSecond(plan.frameRate);
    const partTarget = this.#shape?.partTarget ?? Math.ceil((plan.partFrames / partRate) * 1e5) / 1e5;
    const window = new SegmentWindow({
      streamId,
      carryOn,
      resumed,
      targetDuration,
      partTarget,
      partHoldBack: HOLD_BACK_PARTS * partTarget,
      renditions: plan.renditions.map((rendition) => rendition.name),
    });
    const opened = { window, view: new StreamWindowView(window) };
    this.#opened = opened;
    this.#options.companions.tell('windowOpened', window);
    if (this.#shape !== undefined) this.#options.companions.tell('shapeKnown', this.#shape);
    this.#changed();
    return opened;
  }

  #changed(): void {
    for (const wake of this.#changes) wake();
  }

  #until(ready: () => boolean, signal: AbortSignal): Promise<void> {
    const settled = () => this.#ended || signal.aborted || ready();
    if (settled()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        cancelTimer();
        this.#changes.delete(look);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const look = () => {
        if (settled()) finish();
      };
      const cancelTimer = this.#options.clock.after(START_PATIENCE_MS, finish);
      signal.addEventListener('abort', finish);
      this.#changes.add(look);
    });
  }
}
