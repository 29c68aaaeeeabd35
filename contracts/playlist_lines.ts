/**
 * Reads back what our own media playlists say: the whole segments and their numbers. For who joins a live playlist to
 * a recorded one, or cuts a clip from a static one; it is no parser of anybody else's playlists.
 */
import { parseMediaPath } from './media_paths.ts';
import type { RenditionName, StreamId } from './ids.ts';
import type { PlaylistLine } from './recording_playlist.ts';

export interface ReadPlaylist {
  /** s */
  readonly targetDuration: number;
  /** Of the first segment (RFC 8216bis section 4.4.3.3): a DISCONTINUITY before it counts. */
  readonly discontinuitySequence: number;
  readonly ended: boolean;
  /** Segments whose parts are still being made are not among them. */
  readonly lines: readonly PlaylistLine[];
}

/**
 * @param text a media playlist of ours, whole (no delta update), with URIs relative to its folder
 * @returns undefined when it is none: a URI that is not of this stream and rendition, no target duration
 */
export function readPlaylistLines(
  text: string,
  streamId: StreamId,
  rendition: RenditionName,
): ReadPlaylist | undefined {
  const lines: PlaylistLine[] = [];
  const facts = { targetDuration: 0, discontinuitySequence: 0, ended: false };
  let pdt: number | undefined;
  let duration = 0;
  let gap = false;
  let at = 0;
  while (at < text.length) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const line = text.slice(at, end);
    at = end + 1;
    if (line === '') continue;
    if (!line.startsWith('#')) {
      const before = lines.at(-1);
      const path = followingSegment(line, before, rendition) ?? segmentPath(line, streamId, rendition);
      if (path === undefined) return undefined;
      const implied = before === undefined ? 0 : before.pdt + before.duration * 1000;
      lines.push({ ...path, pdt: pdt ?? implied, duration, gap });
      pdt = undefined;
      gap = false;
    } else if (line.startsWith('#EXTINF:')) duration = Number.parseFloat(line.slice(8));
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) pdt = Date.parse(line.slice(25));
    else if (line === '#EXT-X-GAP') gap = true;
    else if (line === '#EXT-X-DISCONTINUITY') facts.discontinuitySequence += lines.length === 0 ? 1 : 0;
    else readHeader(line, facts);
  }
  return facts.targetDuration > 0 ? { ...facts, lines } : undefined;
}

type SegmentPlace = Pick<PlaylistLine, 'epoch' | 'msn'>;

/** The usual case, without parsing: the segment behind `before`. Twelve hours are 21,600 of them. */
function followingSegment(
  line: string,
  before: PlaylistLine | undefined,
  rendition: RenditionName,
): SegmentPlace | undefined {
  if (before === undefined) return undefined;
  const { epoch, msn } = before;
  return line === `../${epoch}/${rendition}/${msn + 1}.m4s` ? { epoch, msn: msn + 1 } : undefined;
}

function segmentPath(line: string, streamId: StreamId, rendition: RenditionName): SegmentPlace | undefined {
  const path = line.startsWith('../') ? parseMediaPath(`/${streamId}${line.slice(2)}`) : undefined;
  if (path?.kind !== 'segment' || path.rendition !== rendition) return undefined;
  return { epoch: path.epoch, msn: path.msn };
}

function readHeader(
  line: string,
  facts: { targetDuration: number; discontinuitySequence: number; ended: boolean },
): void {
  if (line.startsWith('#EXT-X-TARGETDURATION:')) facts.targetDuration = Number(line.slice(22));
  else if (line.startsWith('#EXT-X-DISCONTINUITY-SEQUENCE:')) facts.discontinuitySequence = Number(line.slice(30));
  else if (line === '#EXT-X-ENDLIST') facts.ended = true;
}
