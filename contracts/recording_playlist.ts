/**
 * The playlists of a recording as text: EVENT while the show goes on, VOD once it is over, clips at any time, and the
 * rewind playlist of a live stream. Sections are those of RFC 8216bis. None has parts: those are for the live edge.
 */
import { buildMediaPath } from './media_paths.ts';
import type { Epoch, RenditionName, StreamId } from './ids.ts';
import type { IndexEntry, RecordingSession } from './recording.ts';
import type { RowRange } from './recording_clip.ts';
import { recordedRenditions } from './recording_timeline.ts';
import type { RecordingTimeline, TimelineRow } from './recording_timeline.ts';
import type { RenditionShape } from './stream_shape.ts';

/** One segment of one rendition, as a playlist lists it. */
export interface PlaylistLine {
  readonly msn: number;
  readonly epoch: Epoch;
  /** ms since 1970. */
  readonly pdt: number;
  /** Seconds. */
  readonly duration: number;
  readonly gap: boolean;
}

export interface RecordedPlaylist {
  readonly streamId: StreamId;
  readonly rendition: RenditionName;
  /** EXT-X-TARGETDURATION, whole seconds. */
  readonly targetDuration: number;
  /** `event`: more will be appended. `vod`: nothing changes any more. `sliding`: old ones leave (rewind). */
  readonly type: 'event' | 'vod' | 'sliding';
  /** ENDLIST follows; always so for `vod`. */
  readonly ended: boolean;
  readonly lines: readonly PlaylistLine[];
  /** Discontinuities that have left a sliding playlist. */
  readonly discontinuitySequence: number;
  /** Answer a delta update (6.2.5.1) when there is something to skip; `sliding` alone offers it. */
  readonly skip: boolean;
}

/** CAN-SKIP-UNTIL, target durations: the least that 4.4.3.8 allows. */
const SKIP_TARGET_DURATIONS = 6;
/** A time that segments before it imply is not said again unless it differs by more than this, ms. */
const IMPLIED_WITHIN_MS = 1;

/**
 * The multivariant playlist that stands at `/{streamId}/vod-{sessionId}.m3u8`.
 * @param query is handed on to the media playlists: of a clip `?start=…&end=…`
 */
export function renderRecordingMultivariant(session: RecordingSession, query = ''): string {
  const names = recordedRenditions(session);
  const shapes = session.shape.renditions.filter(({ name }) => names.includes(name));
  return renderMultivariant(shapes, (name) => `vod-${session.sessionId}/${name}.m3u8${query}`);
}

/** The multivariant playlist that stands at `/{streamId}/rewind.m3u8`. */
export function renderRewindMultivariant(renditions: readonly RenditionShape[]): string {
  return renderMultivariant(renditions, (name) => `rewind/${name}.m3u8`);
}

/** The multivariant playlist that stands at `/{streamId}/live.m3u8`, for who must say it in place of a media server. */
export function renderLiveMultivariant(renditions: readonly RenditionShape[]): string {
  return renderMultivariant(renditions, (name) => `${name}/index.m3u8`);
}

function renderMultivariant(
  renditions: readonly RenditionShape[],
  uriOf: (rendition: RenditionName) => string,
): string {
  // Every segment begins with a key frame (4.4.2.1).
  const lines = ['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS'];
  for (const { name, resolution, frameRate, bandwidth, averageBandwidth, codecs } of renditions) {
    const attributes = [
      `BANDWIDTH=${bandwidth}`,
      `AVERAGE-BANDWIDTH=${averageBandwidth}`,
      `CODECS="${codecs}"`,
      ...(resolution === undefined ? [] : [`RESOLUTION=${resolution.width}x${resolution.height}`]),
      ...(frameRate === undefined ? [] : [`FRAME-RATE=${frameRate.toFixed(3)}`]),
    ];
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(',')}`, uriOf(name));
  }
  return `${lines.join('\n')}\n`;
}

/**
 * The media playlist that stands at `/{streamId}/vod-{sessionId}/{rendition}.m3u8`.
 * @param clip only these rows: final at once, however the recording goes on
 * @throws RangeError for a rendition that is not recorded
 */
export function renderRecordingMedia(
  timeline: RecordingTimeline,
  rendition: RenditionName,
  { final, clip }: { readonly final: boolean; readonly clip?: RowRange },
): string {
  const { streamId, targetDuration } = timeline;
  return renderRecordedPlaylist({
    streamId,
    rendition,
    targetDuration,
    type: final || clip !== undefined ? 'vod' : 'event',
    ended: final || clip !== undefined,
    lines: playlistLines(timeline, rendition, clip),
    discontinuitySequence: 0,
    skip: false,
  });
}

/** @throws RangeError for a rendition that is not recorded */
export function playlistLines(timeline: RecordingTimeline, rendition: RenditionName, range?: RowRange): PlaylistLine[] {
  const position = timeline.renditions.indexOf(rendition);
  if (position < 0) throw new RangeError(`got rendition ${rendition}, wanted one of ${timeline.renditions.join(', ')}`);
  const rows = range === undefined ? timeline.rows : timeline.rows.slice(range.from, range.to);
  return rows.map((row) => lineOf(row, row.stored[position]));
}

function lineOf({ msn, epoch, pdt, duration }: TimelineRow, stored: IndexEntry | undefined): PlaylistLine {
  if (stored === undefined) return { msn, epoch, pdt, duration, gap: true };
  return { msn, epoch, pdt: stored.pdt, duration: stored.duration, gap: false };
}

export function renderRecordedPlaylist(playlist: RecordedPlaylist): string {
  const { type, targetDuration, lines, discontinuitySequence, ended } = playlist;
  const text = [
    '#EXTM3U',
    // EXT-X-GAP wants 8, EXT-X-SKIP 9 (section 8).
    '#EXT-X-VERSION:9',
    `#EXT-X-TARGETDURATION:${targetDuration}`,
  ];
  if (type === 'sliding') text.push(`#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=${SKIP_TARGET_DURATIONS * targetDuration}`);
  // Without it players begin an EVENT at its end.
  else text.push(`#EXT-X-PLAYLIST-TYPE:${type.toUpperCase()}`, '#EXT-X-START:TIME-OFFSET=0,PRECISE=YES');
  text.push(`#EXT-X-MEDIA-SEQUENCE:${lines[0]?.msn ?? 0}`);
  // Absent means 0 (4.4.3.3).
  if (discontinuitySequence > 0) text.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence}`);
  const skipped = playlist.skip && type === 'sliding' ? countSkippable(playlist) : 0;
  if (skipped > 0) text.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`);
  renderLines(text, playlist, skipped);
  if (ended) text.push('#EXT-X-ENDLIST');
  return `${text.join('\n')}\n`;
}

/** Segments that lie before the skip boundary (6.2.5.1). A client keeps what it knows of them, discontinuities included. */
function countSkippable({ lines, targetDuration }: RecordedPlaylist): number {
  const boundary = SKIP_TARGET_DURATIONS * targetDuration;
  let after = 0;
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    if (after >= boundary) return index + 1;
    after += lines[index]?.duration ?? 0;
  }
  return 0;
}

function renderLines(text: string[], playlist: RecordedPlaylist, skipped: number): void {
  const { streamId, rendition, lines } = playlist;
  let map: Epoch | undefined;
  let impliedMs = Number.NaN;
  for (let index = skipped; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) return;
    const { epoch, msn, pdt, duration, gap } = line;
    const before = lines[index - 1];
    const isNew = before !== undefined && before.epoch !== epoch;
    if (isNew) text.push('#EXT-X-DISCONTINUITY');
    // Each epoch has its own; an epoch of gaps alone need not have one.
    if (!gap && map !== epoch) {
      map = epoch;
      text.push(`#EXT-X-MAP:URI="${relative(buildMediaPath({ kind: 'init', streamId, epoch, rendition }))}"`);
    }
    if (isNew || !(Math.abs(pdt - impliedMs) <= IMPLIED_WITHIN_MS)) {
      text.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round(pdt)).toISOString()}`);
      impliedMs = pdt;
    }
    impliedMs += duration * 1000;
    if (gap) text.push('#EXT-X-GAP');
    text.push(
      `#EXTINF:${duration.toFixed(5)},`,
      relative(buildMediaPath({ kind: 'segment', streamId, epoch, rendition, msn })),
    );
  }
}

/** From a folder of the stream (`vod-…/`, `rewind/`) to another path of the same stream. */
function relative(path: string): string {
  return `..${path.slice(path.indexOf('/', 1))}`;
}
