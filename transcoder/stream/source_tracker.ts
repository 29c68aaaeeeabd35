/**
 * Remembers what a publisher said of its media (metadata, sequence headers, first timestamps) and tells when that is
 * enough to start an encoder, and when it has changed.
 */
import type { Clock } from '../clock.ts';
import type { SourceDescription } from '../encode/encode_plan.ts';
import { describeSource } from '../encode/source_description.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { parseMetadata } from '../flv/metadata.ts';
import { EPOCH_START_MS } from './epoch_timeline.ts';

/** How long the second track's header is waited for after the first media, ms. */
const SECOND_TRACK_MS = 1000;
/** Frames whose timestamps are measured when the metadata declares no frame rate. */
const MEASURED_FRAMES = 12;
const KEPT_TIMESTAMPS = 60;

export class SourceTracker {
  readonly #clock: Clock;
  #metadata: MediaTag | undefined;
  #declaresFrameRate = false;
  #videoHeader: MediaTag | undefined;
  #audioHeader: MediaTag | undefined;
  #firstMediaAtMs: number | undefined;
  #timestampsMs: number[] = [];
  /** The tracks that the open epoch was started with; a track outside of it came late. */
  #opened: { readonly video: boolean; readonly audio: boolean } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when an epoch was opened from this source. */
  get hadEpoch(): boolean {
    return this.#opened !== undefined;
  }

  get hasVideo(): boolean {
    return this.#videoHeader !== undefined;
  }

  /** An epoch begins with what is known now. */
  epochOpened(): void {
    this.#opened = { video: this.#videoHeader !== undefined, audio: this.#audioHeader !== undefined };
  }

  metadata(tag: MediaTag): void {
    this.#metadata = tag;
    this.#declaresFrameRate = parseMetadata(tag.body).frameRate !== undefined;
  }

  /** @returns true when the open epoch was made for another header */
  videoHeader(tag: MediaTag): boolean {
    this.#mediaArrived();
    const changed = this.#videoHeader === undefined || !this.#videoHeader.body.equals(tag.body);
    this.#videoHeader = tag;
    if (changed) this.#timestampsMs = [];
    return changed && this.#opened !== undefined;
  }

  videoFrame(timestampMs: number): void {
    if (this.#timestampsMs.length < KEPT_TIMESTAMPS) this.#timestampsMs.push(timestampMs);
  }

  /** @returns true when the open epoch was made for another header, or for none */
  audioHeader(tag: MediaTag): boolean {
    this.#mediaArrived();
    const changed = this.#audioHeader === undefined || !this.#audioHeader.body.equals(tag.body);
    this.#audioHeader = tag;
    return changed && this.#opened !== undefined;
  }

  /** A frame of a codec that has no header of its own stands for its header. @returns true when it came late */
  headerlessAudio(tag: MediaTag): boolean {
    if (this.#audioHeader !== undefined) return false;
    this.#mediaArrived();
    this.#audioHeader = tag;
    return this.#opened !== undefined;
  }

  /** The same for video: such a codec cannot be served, and `describe` says so. */
  headerlessVideo(tag: MediaTag): void {
    this.#mediaArrived();
    this.#videoHeader ??= tag;
  }

  /**
   * What arrives, or undefined while that is not yet clear.
   * @throws UnsupportedSourceError in one line for the publisher
   */
  describe(): SourceDescription | undefined {
    if (!this.#settled()) return undefined;
    return describeSource({
      metadata: this.#metadata,
      videoHeader: this.#videoHeader,
      audioHeader: this.#audioHeader,
      videoTimestampsMs: this.#timestampsMs,
    });
  }

  /** What FFmpeg must read before any media, on the epoch's timeline. */
  headers(): readonly MediaTag[] {
    return [this.#metadata, this.#videoHeader, this.#audioHeader]
      .filter((tag) => tag !== undefined)
      .map((tag) => ({ kind: tag.kind, body: tag.body, timestampMs: EPOCH_START_MS }));
  }

  #settled(): boolean {
    if (this.#firstMediaAtMs === undefined) return false;
    const waitedMs = this.#clock.monotonicMs() - this.#firstMediaAtMs;
    const bothTracks = this.#videoHeader !== undefined && this.#audioHeader !== undefined;
    if (!bothTracks && waitedMs < SECOND_TRACK_MS) return false;
    if (this.#videoHeader === undefined || this.#declaresFrameRate) return true;
    return this.#timestampsMs.length >= MEASURED_FRAMES || waitedMs > 2 * SECOND_TRACK_MS;
  }

  #mediaArrived(): void {
    this.#firstMediaAtMs ??= this.#clock.monotonicMs();
  }
}
