/**
 * What the media server may see of a live window: playlists as text, media as bytes, and promises of what is being
 * made. Sections are those of RFC 8216bis.
 */
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { PlaylistReply, PlaylistRequest } from '../serve/stream_view.ts';
import { renderMediaPlaylist } from './media_playlist.ts';
import type { MediaPlaylist, RenditionReport } from './media_playlist.ts';
import type { SegmentWindow } from './segment_window.ts';
import type { RenditionTrack, WindowSegment } from './window_segment.ts';

interface RenderedPlaylist {
  version: number;
  full?: string;
  delta?: string;
}

/** Segments that a request may be ahead of the last whole one (6.2.5.2). */
const MAX_SEGMENTS_AHEAD = 2;
/** A wait ends by itself after this many target durations (6.2.5.2). */
const WAIT_TARGET_DURATIONS = 3;

export class StreamWindowView {
  readonly #window: SegmentWindow;
  readonly #waitMs: number;
  /** Parts that a request may be ahead of the last one: the Advance Part Limit (6.2.5.2). */
  readonly #partLimit: number;
  readonly #rendered = new Map<RenditionName, RenderedPlaylist>();

  constructor(window: SegmentWindow) {
    this.#window = window;
    const { targetDuration, partTarget } = window.options;
    this.#waitMs = WAIT_TARGET_DURATIONS * targetDuration * 1000;
    this.#partLimit = partTarget >= 1 ? 3 : Math.ceil(3 / partTarget);
  }

  /**
   * Waits until every rendition has a whole segment, at most three target durations; then true when at least one
   * rendition has one.
   */
  async whenPlayable(signal: AbortSignal): Promise<boolean> {
    const { tracks, waiters } = this.#window;
    await waiters.until(() => this.#window.state === 'ended' || tracks.every(hasWholeSegment), this.#waitMs, signal);
    return tracks.some(hasWholeSegment);
  }

  /** As `StreamView.mediaPlaylist`; a rendition without any whole segment at the end of the wait is not found. */
  async mediaPlaylist(rendition: RenditionName, request: PlaylistRequest, signal: AbortSignal): Promise<PlaylistReply> {
    const track = this.#window.track(rendition);
    if (track === undefined) return { outcome: 'not-found' };
    // A playlist of parts alone is one that hls.js calls empty.
    await this.#until(() => track.lastCompleteMsn !== undefined && this.#window.isPresentable, signal);
    const whole = track.lastCompleteMsn;
    if (whole === undefined) return { outcome: 'not-found' };
    const { msn, part } = request;
    if (msn !== undefined && this.#window.state !== 'ended') {
      if (msn > whole + MAX_SEGMENTS_AHEAD || this.#partTooFar(track, msn, part)) return { outcome: 'too-far' };
      await this.#until(() => hasReached(track, msn, part), signal);
    }
    return this.#reply(track, request.skip);
  }

  init(epoch: Epoch, rendition: RenditionName): readonly Buffer[] | undefined {
    const data = this.#window.track(rendition)?.inits.get(epoch);
    return data === undefined ? undefined : [data];
  }

  /** Whole segments with media only. */
  segment(epoch: Epoch, rendition: RenditionName, msn: number): readonly Buffer[] | undefined {
    const segment = this.#window.track(rendition)?.find(msn);
    if (segment?.epoch !== epoch || !segment.complete || segment.gap) return undefined;
    return segment.parts.map((part) => part.data);
  }

  /** Waits for a part of the segment that is being made or of the one after it, as long as their epoch is open. */
  async part(
    epoch: Epoch,
    rendition: RenditionName,
    msn: number,
    part: number,
    signal: AbortSignal,
  ): Promise<readonly Buffer[] | undefined> {
    const track = this.#window.track(rendition);
    if (track === undefined) return undefined;
    if (this.#mayCome(track, epoch, msn, part))
      await this.#until(() => !this.#mayCome(track, epoch, msn, part), signal);
    const data = findPart(track, epoch, msn, part);
    return data === undefined ? undefined : [data];
  }

  /** True while the part is not there and can still be appended under this name. */
  #mayCome(track: RenditionTrack, epoch: Epoch, msn: number, part: number): boolean {
    const open = this.#window.openEpoch;
    if (open?.epoch !== epoch || msn < open.firstMsn || this.#partTooFar(track, msn, part)) return false;
    const { last } = track;
    if (last === undefined || last.msn < msn) return msn <= nextPosition(track, open.firstMsn).msn + 1;
    return last.msn === msn && !last.complete && last.parts.length <= part;
  }

  #partTooFar(track: RenditionTrack, msn: number, part: number | undefined): boolean {
    const { last } = track;
    if (part === undefined || (last !== undefined && msn < last.msn)) return false;
    const lastPart = last?.msn === msn ? last.parts.length - 1 : -1;
    if (last?.msn === msn && last.complete) return false;
    return part - lastPart > this.#partLimit;
  }

  async #until(ready: () => boolean, signal: AbortSignal): Promise<void> {
    await this.#window.waiters.until(() => this.#window.state === 'ended' || ready(), this.#waitMs, signal);
  }

  #reply(track: RenditionTrack, skip: boolean): PlaylistReply {
    const { epoch, state, options } = this.#window;
    if (epoch === undefined) return { outcome: 'not-found' };
    const { targetDuration } = options;
    const position = nextPosition(track, this.#window.nextMsn);
    const text = this.#render(track, skip);
    return {
      outcome: 'playlist',
      text,
      state,
      targetDuration,
      epoch,
      position: { msn: position.msn, parts: position.part },
    };
  }

  /** Rendered once per version of the window, however many ask. */
  #render(track: RenditionTrack, skip: boolean): string {
    const { version } = this.#window;
    let rendered = this.#rendered.get(track.name);
    if (rendered?.version !== version) {
      rendered = { version };
      this.#rendered.set(track.name, rendered);
    }
    if (skip) return (rendered.delta ??= renderMediaPlaylist(this.#describe(track), true));
    return (rendered.full ??= renderMediaPlaylist(this.#describe(track), false));
  }

  #describe(track: RenditionTrack): MediaPlaylist {
    const { options, state, openEpoch, tracks } = this.#window;
    const { streamId, targetDuration, partTarget, partHoldBack = 3 * partTarget } = options;
    const playlist: MediaPlaylist = {
      streamId,
      rendition: track.name,
      targetDuration,
      partTarget,
      partHoldBack,
      discontinuitySequence: track.discontinuitySequence,
      segments: track.listed(),
      initialized: new Set(track.inits.keys()),
      reports: tracks.filter((other) => other !== track).flatMap(report),
      ended: state === 'ended',
    };
    // The next epoch's URIs are not known before it begins, and a rendition in a gap has no next part.
    if (openEpoch === undefined || track.last?.gap === true) return playlist;
    return { ...playlist, hint: { epoch: openEpoch.epoch, ...nextPosition(track, openEpoch.firstMsn) } };
  }
}

function hasWholeSegment(track: RenditionTrack): boolean {
  return track.lastCompleteMsn !== undefined;
}

/** Where the next part goes: into the open segment, or into the one after the last. */
function nextPosition({ last }: RenditionTrack, first: number): { readonly msn: number; readonly part: number } {
  if (last === undefined) return { msn: first, part: 0 };
  return last.complete ? { msn: Math.max(last.msn + 1, first), part: 0 } : { msn: last.msn, part: last.parts.length };
}

/** Whether a playlist holds what was asked for: a whole segment, or a part or anything behind it (6.2.5.2). */
function hasReached({ last }: RenditionTrack, msn: number, part: number | undefined): boolean {
  if (last === undefined) return false;
  if (last.msn > msn) {
    // A part beyond a segment's last one stands for the first part of the next segment: any later part will do.
    return true;
  }
  if (last.msn < msn) return false;
  return last.complete
    ? part === undefined || part < last.parts.length
    : part !== undefined && part < last.parts.length;
}

function findPart(track: RenditionTrack, epoch: Epoch, msn: number, part: number): Buffer | undefined {
  const segment: WindowSegment | undefined = track.find(msn);
  return segment?.epoch === epoch ? segment.parts[part]?.data : undefined;
}

function report({ name, last }: RenditionTrack): RenditionReport[] {
  if (last === undefined) return [];
  const { length } = last.parts;
  return [{ rendition: name, lastMsn: last.msn, ...(length > 0 ? { lastPart: length - 1 } : {}) }];
}
