/**
 * What a recording says in place of a live stream's server that does not answer: the same playlists, as they were when
 * the newest segments became durable.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../../contracts/cache_policy.ts';
import type { CacheableKind } from '../../../contracts/cache_policy.ts';
import type { RenditionName } from '../../../contracts/ids.ts';
import { renderLiveMultivariant, renderRecordedPlaylist } from '../../../contracts/recording_playlist.ts';
import type { PlaylistLine } from '../../../contracts/recording_playlist.ts';
import { StoredObject, bytesOf } from '../stored_object.ts';
import { epochChanges, windowStart } from './joined_lines.ts';
import type { RecordingState } from './recording_states.ts';
import { textTag } from './text_tag.ts';

/** As the media server's live window, s. */
const WINDOW_SECONDS = 60;
const FRESH_MS = 500;

export function standInMultivariant({ session }: RecordingState, nowMs: number): StoredObject {
  const { shape, renditions } = session;
  const recorded = shape.renditions.filter(({ name }) => renditions.includes(name));
  return playlistObject(renderLiveMultivariant(recorded), 'multivariant', shape.targetDuration, nowMs);
}

/**
 * @param lines of the recording; at least one
 * @param ended the session is over: ENDLIST stands
 */
export function standInPlaylist(
  { session, timeline }: RecordingState,
  rendition: RenditionName,
  lines: readonly PlaylistLine[],
  ended: boolean,
  nowMs: number,
): StoredObject {
  const from = windowStart(lines, WINDOW_SECONDS);
  const text = renderRecordedPlaylist({
    streamId: session.streamId,
    rendition,
    targetDuration: timeline.targetDuration,
    type: 'sliding',
    ended,
    lines: lines.slice(from),
    discontinuitySequence: epochChanges(lines, from),
    skip: false,
  });
  return playlistObject(text, ended ? 'media-playlist-ended' : 'media-playlist', timeline.targetDuration, nowMs);
}

function playlistObject(text: string, kind: CacheableKind, targetDuration: number, nowMs: number): StoredObject {
  return new StoredObject({
    status: 200,
    body: bytesOf(text),
    contentType: CONTENT_TYPE.playlist,
    cacheControl: CACHE_POLICY[kind].cacheControl(targetDuration),
    etag: textTag(text),
    fetchedAtMs: nowMs,
    freshForMs: FRESH_MS,
    compressible: true,
  });
}
