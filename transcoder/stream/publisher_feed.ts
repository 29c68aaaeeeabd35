/**
 * One publisher's media on its way to the encoder: keeps the headers, the last GOP and the measurements, and asks the
 * lane for a new epoch when the source changes.
 */
import type { Clock } from '../clock.ts';
import { classicAacBody, inspectAudioTag } from '../flv/audio_tag.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { classicAvcBody, inspectVideoTag } from '../flv/video_tag.ts';
import type { VideoTag } from '../flv/video_tag.ts';
import type { Logger } from '../logger.ts';
import type { EncoderLane } from './encoder_lane.ts';
import { GopBuffer } from './gop_buffer.ts';
import { declaredGopFrames } from './gop_memory.ts';
import { GopMeter } from './gop_meter.ts';
import { SourceTracker } from './source_tracker.ts';
import { UplinkMeter } from './uplink_meter.ts';

export interface PublisherFeedOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The uplink does not keep up: media that arrived per time that passed. */
  readonly onSlow: (share: number) => void;
}

export class PublisherFeed {
  readonly tracker: SourceTracker;
  readonly backlog = new GopBuffer();
  readonly meter = new GopMeter();
  readonly #uplink = new UplinkMeter();
  readonly #onSlow: (share: number) => void;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #lastMediaAtMs: number;
  #lastPictureAtMs: number;
  #declaredGopFrames: number | undefined;
  #lane: EncoderLane | undefined;

  constructor(options: PublisherFeedOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#onSlow = options.onSlow;
    this.#lastMediaAtMs = options.clock.monotonicMs();
    this.#lastPictureAtMs = this.#lastMediaAtMs;
    this.tracker = new SourceTracker(options.clock);
  }

  /** ms since the last media, or since the feed began. */
  get mediaAgeMs(): number {
    return this.#clock.monotonicMs() - this.#lastMediaAtMs;
  }

  /** ms since what the playlists wait for: pictures, or any media when there are none. */
  get quietMs(): number {
    return this.tracker.hasVideo ? this.#clock.monotonicMs() - this.#lastPictureAtMs : this.mediaAgeMs;
  }

  /** Frames between key frames by the encoder's own words, if it gave any. */
  get declaredGopFrames(): number | undefined {
    return this.#declaredGopFrames;
  }

  connect(lane: EncoderLane): void {
    this.#lane = lane;
  }

  media(tag: MediaTag): void {
    if (tag.kind === 'metadata') {
      this.tracker.metadata(tag);
      return;
    }
    this.#lastMediaAtMs = this.#clock.monotonicMs();
    if (tag.kind === 'video') this.#lastPictureAtMs = this.#lastMediaAtMs;
    if (tag.kind === 'video' || !this.tracker.hasVideo) {
      const share = this.#uplink.media(tag.timestampMs, this.#lastMediaAtMs);
      if (share !== undefined) this.#onSlow(share);
    }
    if (tag.kind === 'video') this.#video(tag);
    else this.#audio(tag);
  }

  #video(arrived: MediaTag): void {
    const info = inspectVideoTag(arrived.body);
    if (info === undefined || info.packet === 'other' || info.packet === 'sequence-end') return;
    if (info.codec !== 'h264') {
      this.tracker.headerlessVideo(arrived);
      this.backlog.begin(arrived, this.#clock.wallMs());
      this.#lane?.push(arrived, true);
      return;
    }
    const tag = info.enhanced ? { ...arrived, body: classicAvcBody(info, arrived.body) } : arrived;
    if (info.packet === 'sequence-header') {
      if (this.tracker.videoHeader(tag)) this.#sourceChanged('the video header changed');
      return;
    }
    // A frame before its header cannot be decoded.
    if (this.tracker.hasVideo) this.#videoFrame(tag, info);
  }

  #videoFrame(tag: MediaTag, info: VideoTag): void {
    this.tracker.videoFrame(tag.timestampMs);
    this.meter.video(tag.timestampMs, tag.body.length, info.keyFrame);
    if (info.keyFrame) this.#declaredGopFrames ??= declaredGopFrames(tag.body);
    // Until the first epoch is open nothing is thrown away: the show begins with its first key frame.
    const beginning = !this.tracker.hadEpoch && this.backlog.tags[0]?.kind === 'video';
    if (info.keyFrame && !beginning) this.backlog.begin(tag, this.#clock.wallMs());
    else this.backlog.append(tag);
    this.#lane?.push(tag, info.keyFrame);
  }

  #audio(arrived: MediaTag): void {
    const info = inspectAudioTag(arrived.body);
    if (info === undefined || info.packet === 'other') return;
    const tag =
      info.enhanced && info.codec === 'aac' ? { ...arrived, body: classicAacBody(info, arrived.body) } : arrived;
    if (info.packet === 'sequence-header') {
      if (this.tracker.audioHeader(tag)) this.#sourceChanged('the audio header changed or came late');
      return;
    }
    if (info.codec !== 'aac' && this.tracker.headerlessAudio(tag)) this.#sourceChanged('the audio came late');
    if (!this.tracker.hasVideo && this.#lane?.run !== undefined) this.backlog.clear();
    else if (!this.tracker.hasVideo && this.backlog.tags.length === 0) this.backlog.begin(tag, this.#clock.wallMs());
    else this.backlog.append(tag);
    this.#lane?.push(tag, !this.tracker.hasVideo);
  }

  #sourceChanged(reason: string): void {
    this.#logger.info({ reason }, 'the source changed');
    this.#lane?.replaceAtKeyFrame(reason);
  }
}
