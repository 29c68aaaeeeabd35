/**
 * What the media server may see of a stream: texts and bytes that are ready, and promises of those that are being made.
 */
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import type { StreamState } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';

/** A blocking playlist reload and a delta update (RFC 8216bis section 6.2.5). */
export interface PlaylistRequest {
  /** `_HLS_msn` */
  readonly msn?: number;
  /** `_HLS_part`, only with `msn`. */
  readonly part?: number;
  /** `_HLS_skip=YES` or `v2` */
  readonly skip: boolean;
}

export type PlaylistReply =
  | {
      readonly outcome: 'playlist';
      readonly text: string;
      readonly state: StreamState;
      readonly targetDuration: number;
      readonly epoch: Epoch;
      /** MSN of the segment being made, and how many of its parts are ready. */
      readonly position: { readonly msn: number; readonly parts: number };
    }
  /** No such rendition. */
  | { readonly outcome: 'not-found' }
  /** `_HLS_msn` lies more than two segments ahead (RFC 8216bis section 6.2.5.2: 400). */
  | { readonly outcome: 'too-far' };

/** Every wait ends by itself at three target durations with the state as it is, or when `signal` aborts. */
export interface StreamView {
  readonly streamId: StreamId;
  status(): StreamStatus;
  /** Waits until the playlist is playable; undefined when it never became so. */
  multivariant(
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly epoch: Epoch; readonly targetDuration: number } | undefined>;
  mediaPlaylist(rendition: RenditionName, request: PlaylistRequest, signal: AbortSignal): Promise<PlaylistReply>;
  /** The buffers that make up the object, in order; undefined: not here (any more). Not to be written to. */
  init(epoch: Epoch, rendition: RenditionName): readonly Buffer[] | undefined;
  segment(epoch: Epoch, rendition: RenditionName, msn: number): readonly Buffer[] | undefined;
  /** Waits for a part that is announced by the preload hint. */
  part(
    epoch: Epoch,
    rendition: RenditionName,
    msn: number,
    part: number,
    signal: AbortSignal,
  ): Promise<readonly Buffer[] | undefined>;
  /** JPEG. */
  poster(): Buffer | undefined;
}

/** The streams of this transcoder. */
export interface StreamDirectory {
  find(streamId: StreamId): StreamView | undefined;
}
