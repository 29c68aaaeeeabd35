/**
 * Renders a live media playlist, whole or as a delta update, from a plain description. Sections are those of RFC
 * 8216bis (draft-pantos-hls-rfc8216bis).
 */
import { buildMediaPath } from '../../contracts/media_paths.ts';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import { VIDEO_TIMESCALE, ticksToSeconds } from './media_time.ts';

export interface PlaylistPart {
  /** 90 kHz ticks. */
  readonly duration: number;
  /** It begins with a key frame. */
  readonly independent: boolean;
}

export interface PlaylistSegment {
  readonly epoch: Epoch;
  readonly msn: number;
  /** 90 kHz ticks: the sum of its parts. */
  readonly duration: number;
  /** Unix time, ms. */
  readonly programDateTimeMs: number;
  /** A new epoch begins here. */
  readonly discontinuity: boolean;
  readonly gap: boolean;
  /** False for the one that is being made, always the last. */
  readonly complete: boolean;
  readonly parts: readonly PlaylistPart[];
}

export interface RenditionReport {
  readonly rendition: RenditionName;
  readonly lastMsn: number;
  /** Absent when the last segment has no parts. */
  readonly lastPart?: number;
}

/** What is the same in every playlist of a session. */
export interface PlaylistShape {
  readonly streamId: StreamId;
  /** EXT-X-TARGETDURATION, whole seconds. */
  readonly targetDuration: number;
  /** PART-TARGET, seconds. */
  readonly partTarget: number;
  /** PART-HOLD-BACK, seconds; at least twice, better three times PART-TARGET (4.4.3.8). */
  readonly partHoldBack: number;
}

export interface MediaPlaylist extends PlaylistShape {
  readonly rendition: RenditionName;
  readonly discontinuitySequence: number;
  /** Ascending without holes. At least one. */
  readonly segments: readonly PlaylistSegment[];
  /** Epochs that have an initialization segment for this rendition. */
  readonly initialized: ReadonlySet<Epoch>;
  /** The part that comes next, when its URI is known. */
  readonly hint?: { readonly epoch: Epoch; readonly msn: number; readonly part: number };
  readonly reports: readonly RenditionReport[];
  readonly ended: boolean;
}

/** CAN-SKIP-UNTIL, target durations: the least that 4.4.3.8 allows. */
const SKIP_TARGET_DURATIONS = 6;
/** HOLD-BACK, target durations: the least that 4.4.3.8 allows. */
const HOLD_BACK_TARGET_DURATIONS = 3;
/** Parts are listed as long as their segment begins within this many target durations of the end (6.2.2). */
const PART_TARGET_DURATIONS = 3;
/** … and only for so many segments: after an epoch's short last one players need no more of them. */
const MAX_PART_SEGMENTS = 3;
/** RTMP's milliseconds can make a part this much longer than its frames; 4.4.4.9 allows nothing above PART-TARGET. */
const PART_ROUNDING_SECONDS = 0.002;

/** @param skip answer a delta update (6.2.5.1) when there is something to skip */
export function renderMediaPlaylist(playlist: MediaPlaylist, skip: boolean): string {
  const lines = renderHeader(playlist);
  const skipped = skip ? countSkippable(playlist) : 0;
  if (skipped > 0) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`);
  renderSegments(lines, playlist, skipped);
  if (playlist.ended) {
    lines.push('#EXT-X-ENDLIST');
  } else {
    renderHints(lines, playlist);
  }
  lines.push('');
  return lines.join('\n');
}

function renderHeader({ segments, ...playlist }: MediaPlaylist): string[] {
  const { targetDuration, partTarget, partHoldBack, discontinuitySequence } = playlist;
  const control = [
    'CAN-BLOCK-RELOAD=YES',
    `CAN-SKIP-UNTIL=${decimal(SKIP_TARGET_DURATIONS * targetDuration)}`,
    `HOLD-BACK=${decimal(HOLD_BACK_TARGET_DURATIONS * targetDuration)}`,
    `PART-HOLD-BACK=${decimal(partHoldBack)}`,
  ];
  const lines = [
    '#EXTM3U',
    // EXT-X-SKIP wants 9 (4.4.1.2, section 8); one number for whole playlists and delta updates alike.
    '#EXT-X-VERSION:9',
    `#EXT-X-TARGETDURATION:${targetDuration}`,
    `#EXT-X-SERVER-CONTROL:${control.join(',')}`,
    `#EXT-X-PART-INF:PART-TARGET=${decimal(partTarget)}`,
    `#EXT-X-MEDIA-SEQUENCE:${segments[0]?.msn ?? 0}`,
  ];
  // Absent means 0 (4.4.3.3).
  if (discontinuitySequence > 0) lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence}`);
  return lines;
}

/**
 * Segments that end before the skip boundary (6.2.5.1). It stops at a DISCONTINUITY: players count the discontinuity
 * sequence over the tags that they read, and one that was skipped would be missing.
 */
function countSkippable({ segments, targetDuration }: MediaPlaylist): number {
  let rest = segments.reduce((sum, segment) => sum + segment.duration, 0);
  const boundary = SKIP_TARGET_DURATIONS * targetDuration * VIDEO_TIMESCALE;
  let count = 0;
  for (const segment of segments) {
    rest -= segment.duration;
    if (rest < boundary || !segment.complete || segment.discontinuity) return count;
    count += 1;
  }
  return count;
}

function renderSegments(lines: string[], playlist: MediaPlaylist, skipped: number): void {
  const { segments, initialized, targetDuration } = playlist;
  let rest = segments.reduce((sum, segment) => sum + segment.duration, 0);
  const partsWithin = PART_TARGET_DURATIONS * targetDuration * VIDEO_TIMESCALE;
  // The one that is being made counts, even while it has no part yet.
  const firstWithParts =
    segments.length - (segments.at(-1)?.complete === true ? MAX_PART_SEGMENTS - 1 : MAX_PART_SEGMENTS);
  let map: Epoch | undefined;
  for (const [index, segment] of segments.entries()) {
    const listsParts = rest < partsWithin && index >= firstWithParts;
    rest -= segment.duration;
    if (index < skipped) continue;
    if (segment.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    // Each epoch has its own; after EXT-X-SKIP it is said again for those who merge without looking back (4.4.4.5).
    if (segment.epoch !== map && initialized.has(segment.epoch)) {
      map = segment.epoch;
      lines.push(`#EXT-X-MAP:URI="${initUri(playlist, segment.epoch)}"`);
    }
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round(segment.programDateTimeMs)).toISOString()}`);
    if (listsParts) renderParts(lines, playlist, segment);
    if (!segment.complete) continue;
    if (segment.gap) lines.push('#EXT-X-GAP');
    lines.push(`#EXTINF:${seconds(segment.duration)},`, segmentUri(playlist, segment));
  }
}

function renderParts(lines: string[], playlist: MediaPlaylist, segment: PlaylistSegment): void {
  for (const [index, part] of segment.parts.entries()) {
    const independent = part.independent ? ',INDEPENDENT=YES' : '';
    const duration = partDuration(part.duration, playlist.partTarget);
    lines.push(
      `#EXT-X-PART:DURATION=${duration},URI="${partUri(playlist, segment.epoch, segment.msn, index)}"${independent}`,
    );
  }
}

function renderHints(lines: string[], playlist: MediaPlaylist): void {
  const { hint } = playlist;
  if (hint !== undefined) {
    lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${partUri(playlist, hint.epoch, hint.msn, hint.part)}"`);
  }
  for (const report of playlist.reports) {
    const part = report.lastPart === undefined ? '' : `,LAST-PART=${report.lastPart}`;
    const uri = relative(buildMediaPath({ kind: 'media', streamId: playlist.streamId, rendition: report.rendition }));
    lines.push(`#EXT-X-RENDITION-REPORT:URI="${uri}",LAST-MSN=${report.lastMsn}${part}`);
  }
}

type Where = Pick<MediaPlaylist, 'streamId' | 'rendition'>;

function initUri({ streamId, rendition }: Where, epoch: Epoch): string {
  return relative(buildMediaPath({ kind: 'init', streamId, epoch, rendition }));
}

function segmentUri({ streamId, rendition }: Where, { epoch, msn }: PlaylistSegment): string {
  return relative(buildMediaPath({ kind: 'segment', streamId, epoch, rendition, msn }));
}

function partUri({ streamId, rendition }: Where, epoch: Epoch, msn: number, part: number): string {
  return relative(buildMediaPath({ kind: 'part', streamId, epoch, rendition, msn, part }));
}

/** From `/{streamId}/{rendition}/index.m3u8` to another path of the same stream. */
function relative(path: string): string {
  return `..${path.slice(path.indexOf('/', 1))}`;
}

function seconds(ticks: number): string {
  return ticksToSeconds(ticks).toFixed(5);
}

function partDuration(ticks: number, partTarget: number): string {
  const duration = ticksToSeconds(ticks);
  const over = duration - partTarget;
  return (over > 0 && over <= PART_ROUNDING_SECONDS ? partTarget : duration).toFixed(5);
}

/** At most five decimals, none that say nothing. */
function decimal(value: number): string {
  return String(Number(value.toFixed(5)));
}
