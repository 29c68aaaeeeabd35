/**
 * A session recorder on a real window and a scripted store, with media that a test appends.
 */
import type { Epoch, RenditionName, SessionId, StreamId } from '../../../contracts/ids.ts';
import type { FinalizeVodRequest } from '../../../contracts/function_calls.ts';
import type { Notification } from '../../../contracts/lifecycle_event.ts';
import type { SessionShape } from '../../../contracts/stream_shape.ts';
import { SegmentWindow } from '../../package/segment_window.ts';
import { FakeClock } from '../../stream/testing/fake_clock.ts';
import { silentLogger } from '../../stream/testing/silent_logger.ts';
import { SessionRecorder } from '../session_recorder.ts';
import type { SessionRecorderOptions } from '../session_recorder.ts';
import { UploadQueue } from '../upload_queue.ts';
import { ScriptedStore } from './scripted_store.ts';

export const STREAM = 'show' as StreamId;
export const SESSION = '01JAAAAAAAAAAAAAAAAAAAAAAA' as SessionId;
export const RENDITIONS = ['360p', '720p'] as RenditionName[];
const START = Date.UTC(2026, 10, 22, 18);

export const SHAPE: SessionShape = {
  targetDuration: 2,
  partTarget: 0.5,
  renditions: RENDITIONS.map((name, index) => ({
    name,
    codecs: 'avc1.64001f,mp4a.40.2',
    bandwidth: 1_000_000 * (index + 1),
    averageBandwidth: 900_000 * (index + 1),
    resolution: { width: 16, height: 9 },
  })),
};

export class RecordedSession {
  readonly clock = new FakeClock();
  readonly store = new ScriptedStore();
  readonly notifications: Notification[] = [];
  readonly finalized: FinalizeVodRequest[] = [];
  readonly window: SegmentWindow;
  readonly queue: UploadQueue;
  readonly recorder: SessionRecorder;
  done = false;
  #epoch = 0 as Epoch;
  /** Segments of the running epoch. */
  #segments = 0;
  #epochs = 0;

  constructor(options: Partial<SessionRecorderOptions> & { readonly maxMemoryBytes?: number } = {}) {
    this.queue = new UploadQueue({
      store: this.store,
      spill: () => Promise.reject(new Error('no disk')),
      clock: this.clock,
      random: () => 0.5,
      logger: silentLogger,
      maxMemoryBytes: options.maxMemoryBytes ?? 1e6,
    });
    let events = 0;
    this.recorder = new SessionRecorder({
      streamId: STREAM,
      sessionId: SESSION,
      startedAtMs: START,
      title: 'The show',
      playback: () => 'public',
      record: 'all',
      keepDays: undefined,
      epoch: () => this.#epoch,
      queue: this.queue,
      control: {
        notify: async (notification) => {
          this.notifications.push(notification);
          return { outcome: 'noted' };
        },
        finalizeVod: async (request) => {
          this.finalized.push(request);
        },
      },
      clock: this.clock,
      makeEventId: () => `evt_${String((events += 1)).padStart(8, '0')}`,
      logger: silentLogger,
      onDone: () => {
        this.done = true;
      },
      ...options,
    });
    this.window = new SegmentWindow({
      streamId: STREAM,
      renditions: RENDITIONS,
      targetDuration: 2,
      partTarget: 0.5,
      carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs: START },
      resumed: false,
    });
    this.recorder.windowOpened(this.window);
    this.recorder.shapeKnown(SHAPE);
  }

  beginEpoch(epoch: number): void {
    this.#epoch = epoch as Epoch;
    const anchor = { mediaSeconds: 0, programDateTimeMs: START + this.#epochs * 100_000 };
    const opened = this.window.startEpoch(this.#epoch, anchor);
    for (const index of RENDITIONS.keys()) opened.setInit(index, Buffer.from(`init ${epoch} ${index}`));
    this.#segments = 0;
    this.#epochs += 1;
  }

  /** Two seconds of media in every rendition, or in some, `bytes` each, while two seconds pass. */
  async segment(renditions: readonly number[] = [0, 1], bytes = 10_000): Promise<void> {
    const epoch = this.window.openEpoch;
    if (epoch === undefined) throw new Error('no epoch is open');
    const place = { segment: this.#segments, segmentStart: this.#segments * 180_000, hold: false };
    for (const rendition of renditions) {
      for (const half of [0, 1]) {
        const data = Buffer.alloc(bytes / 2, `${this.#epoch} ${rendition} ${this.#segments} ${half} `);
        epoch.appendPart({ ...place, rendition }, { duration: 90_000, independent: half === 0, data });
      }
      epoch.endSegment(rendition);
    }
    this.#segments += 1;
    await this.clock.pass(2000);
  }

  async segments(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) await this.segment();
  }
}
