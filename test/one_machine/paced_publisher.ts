/**
 * Publishes a test source over RTMP at the pace of the clock, over and over, and does to it what encoders and networks
 * do: timestamps that jump, another picture size, late sound, a reset, a goodbye.
 */
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { RtmpPublisher } from '../rtmp_publisher.ts';
import type { RtmpPublisherOptions } from '../rtmp_publisher.ts';
import type { TestSource } from './test_source.ts';

export interface PacedPublisherOptions extends RtmpPublisherOptions {
  readonly source: TestSource;
  /** Timestamp of the first tag, ms; default 0. */
  readonly firstTimestampMs?: number;
  /** No sound and no header of it before this time of the broadcast, ms; default 0. */
  readonly audioFromMs?: number;
}

const TICK_MS = 20;
const TIMESTAMP_RANGE = 2 ** 32;

export class PacedPublisher {
  readonly rtmp: RtmpPublisher;
  readonly #audioFromMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAtMs = performance.now();
  #source: TestSource;
  /** Where on the broadcast's timeline the running repetition began, ms. */
  #baseMs = 0;
  #next = 0;
  #shiftMs: number;
  #heldAudioHeader: MediaTag | undefined;

  private constructor(rtmp: RtmpPublisher, options: PacedPublisherOptions) {
    const { source, firstTimestampMs = 0, audioFromMs = 0 } = options;
    this.rtmp = rtmp;
    this.#source = source;
    this.#shiftMs = firstTimestampMs;
    this.#audioFromMs = audioFromMs;
    this.#sendHeaders();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    void rtmp.closed.then(() => clearInterval(this.#timer));
  }

  /** Resolves once the server has accepted. @throws RtmpRefused */
  static async start(options: PacedPublisherOptions): Promise<PacedPublisher> {
    return new PacedPublisher(await RtmpPublisher.publish(options), options);
  }

  /** From now on all timestamps are moved by this much more, ms. */
  shiftTimestamps(byMs: number): void {
    this.#shiftMs += byMs;
  }

  /** From now on timestamps go on from this one, ms. */
  restartTimestampsAt(timestampMs: number): void {
    this.#shiftMs = timestampMs - (performance.now() - this.#startedAtMs);
  }

  /** Another picture from now on, with its own headers; the timestamps go on. */
  switchTo(source: TestSource): void {
    this.#baseMs = Math.ceil(performance.now() - this.#startedAtMs);
    this.#next = 0;
    this.#source = source;
    this.#sendHeaders();
  }

  /** Sends nothing more and keeps the connection. */
  fallSilent(): void {
    clearInterval(this.#timer);
  }

  /** Goes away with a TCP reset. Resolves when the socket is closed. */
  async reset(): Promise<void> {
    clearInterval(this.#timer);
    this.rtmp.destroy();
    await this.rtmp.closed;
  }

  /** FCUnpublish and deleteStream. Resolves when the socket is closed. */
  async sayGoodbye(): Promise<void> {
    clearInterval(this.#timer);
    await this.rtmp.unpublish();
  }

  #sendHeaders(): void {
    for (const header of this.#source.headers) {
      if (header.kind === 'audio' && this.#baseMs < this.#audioFromMs) this.#heldAudioHeader = header;
      else this.#send(header, this.#baseMs);
    }
  }

  #tick(): void {
    const elapsedMs = performance.now() - this.#startedAtMs;
    for (;;) {
      const tag = this.#source.frames[this.#next];
      if (tag === undefined) {
        this.#next = 0;
        this.#baseMs += this.#source.durationMs;
        continue;
      }
      const positionMs = this.#baseMs + tag.timestampMs;
      if (positionMs > elapsedMs) return;
      this.#next += 1;
      if (tag.kind === 'audio') {
        if (positionMs < this.#audioFromMs) continue;
        if (this.#heldAudioHeader !== undefined) this.#send(this.#heldAudioHeader, positionMs);
        this.#heldAudioHeader = undefined;
      }
      this.#send(tag, positionMs);
    }
  }

  #send(tag: MediaTag, positionMs: number): void {
    const timestampMs = Math.round(positionMs + this.#shiftMs);
    this.rtmp.send({ ...tag, timestampMs: ((timestampMs % TIMESTAMP_RANGE) + TIMESTAMP_RANGE) % TIMESTAMP_RANGE });
  }
}
