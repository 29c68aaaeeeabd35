/**
 * Decides for each tag whether it goes to FFmpeg: leaves out what FFmpeg has no use for, and drops up to the next key
 * frame when FFmpeg is too far behind.
 */
import { classicAacBody, inspectAudioTag } from '../flv/audio_tag.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import { classicAvcBody, inspectVideoTag } from '../flv/video_tag.ts';

/** Bytes that may wait for FFmpeg: some seconds of any source, and the most that a stream costs in memory here. */
export const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
/** Dropping ends at a key frame once this little waits: without the distance it would begin again at once. */
const RESUME_BYTES = MAX_QUEUED_BYTES / 2;

export class InputGate {
  readonly #tracks: { readonly hasVideo: boolean; readonly hasAudio: boolean };
  /** Bytes beyond `MAX_QUEUED_BYTES` that may wait: what was kept for the start, until FFmpeg has taken it. */
  #headStart: number;
  /** What of the head start has not been given yet. */
  #startsWith: number;
  #dropping = false;
  #droppedTags = 0;
  #videoHeader: Buffer | undefined;
  #audioHeader: Buffer | undefined;

  /** @param headStartBytes of media that FFmpeg gets at once at its start: that much more may wait then */
  constructor(tracks: { readonly hasVideo: boolean; readonly hasAudio: boolean }, headStartBytes = 0) {
    this.#tracks = tracks;
    this.#headStart = headStartBytes;
    this.#startsWith = headStartBytes;
  }

  /** Tags dropped because too much was waiting; those without use are not counted. */
  get droppedTags(): number {
    return this.#droppedTags;
  }

  /**
   * The tag as FFmpeg shall get it, or undefined.
   * @param bytesQueued what already waits for FFmpeg
   */
  admit(tag: MediaTag, bytesQueued: number): MediaTag | undefined {
    if (tag.kind === 'video' && this.#tracks.hasVideo) return this.#admitVideo(tag, bytesQueued);
    if (tag.kind === 'audio' && this.#tracks.hasAudio) return this.#admitAudio(tag, bytesQueued);
    // Metadata: everything in it that matters is in the plan, and FFmpeg would believe it.
    return undefined;
  }

  #admitVideo(tag: MediaTag, bytesQueued: number): MediaTag | undefined {
    const video = inspectVideoTag(tag.body);
    if (video?.codec !== 'h264' || video.data.length === 0) return undefined;
    if (video.packet === 'sequence-header') {
      // FFmpeg takes each one for a change; publishers repeat theirs.
      if (this.#videoHeader?.equals(video.data) === true) return undefined;
      this.#videoHeader = video.data;
      return withBody(tag, classicAvcBody(video, tag.body));
    }
    if (video.packet !== 'frame' || this.#drops(bytesQueued, tag.body.length, video.keyFrame)) return undefined;
    return withBody(tag, classicAvcBody(video, tag.body));
  }

  #admitAudio(tag: MediaTag, bytesQueued: number): MediaTag | undefined {
    const audio = inspectAudioTag(tag.body);
    if (audio === undefined || audio.packet === 'other' || audio.data.length === 0) return undefined;
    const isAac = audio.codec === 'aac';
    if (audio.enhanced && !isAac) return undefined;
    if (audio.packet === 'sequence-header') {
      if (this.#audioHeader?.equals(audio.data) === true) return undefined;
      this.#audioHeader = audio.data;
    } else if (this.#drops(bytesQueued, tag.body.length, !this.#tracks.hasVideo)) {
      return undefined;
    }
    return withBody(tag, isAac ? classicAacBody(audio, tag.body) : tag.body);
  }

  /** @param canResume the tag is one that decoding can start again from */
  #drops(bytesQueued: number, bytes: number, canResume: boolean): boolean {
    this.#startsWith -= bytes;
    if (this.#startsWith <= 0 && bytesQueued <= RESUME_BYTES) this.#headStart = 0;
    if (bytesQueued > MAX_QUEUED_BYTES + this.#headStart) this.#dropping = true;
    else if (canResume && bytesQueued <= RESUME_BYTES) this.#dropping = false;
    if (this.#dropping) this.#droppedTags += 1;
    return this.#dropping;
  }
}

function withBody(tag: MediaTag, body: Buffer): MediaTag {
  return body === tag.body ? tag : { ...tag, body };
}
