/**
 * From a parsed media path to a reply: what the media server answers, apart from sockets and tokens.
 */
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { ContractError } from '../../contracts/contract_error.ts';
import { UPSTREAM_HEADER } from '../../contracts/edge_dependencies.ts';
import type { MediaPath } from '../../contracts/media_paths.ts';
import { answersQuery, parsePlaylistQuery } from '../../contracts/playlist_query.ts';
import type { PlaylistQuery } from '../../contracts/playlist_query.ts';
import { problemReply, textReply } from './media_reply.ts';
import type { MediaReply } from './media_reply.ts';
import type { PlaylistReply, StreamDirectory, StreamView } from './stream_view.ts';

const NOT_FOUND = problemReply({ status: 404, title: 'Not Found' });
const TOO_FAR = problemReply({
  status: 400,
  title: 'Bad Request',
  detail: '_HLS_msn lies further ahead than the next segment but one',
});

/**
 * Answers one request. Waits for what is being made; `signal` ends the wait when the asker goes away.
 * @param query what follows the question mark, undecoded
 */
export async function answerMedia(
  directory: StreamDirectory,
  path: MediaPath,
  query: string,
  signal: AbortSignal,
): Promise<MediaReply> {
  const stream = directory.find(path.streamId);
  if (stream === undefined) return NOT_FOUND;
  switch (path.kind) {
    case 'multivariant':
      return answerMultivariant(stream, signal);
    case 'media':
      return answerMediaPlaylist(stream, path, query, signal);
    case 'init':
      return mediaReply(stream.init(path.epoch, path.rendition), `${path.epoch}-init`);
    case 'segment':
      return mediaReply(stream.segment(path.epoch, path.rendition, path.msn), `${path.epoch}-${path.msn}`);
    case 'part':
      return mediaReply(
        await stream.part(path.epoch, path.rendition, path.msn, path.part, signal),
        `${path.epoch}-${path.msn}.${path.part}`,
      );
    case 'poster':
      return answerPoster(stream);
    case 'status':
      return textReply(JSON.stringify(stream.status()), {
        'content-type': CONTENT_TYPE.json,
        'cache-control': CACHE_POLICY.status.cacheControl(0),
      });
    default:
      // Rewind and recordings are read from storage by the edge, not from a transcoder.
      return NOT_FOUND;
  }
}

async function answerMultivariant(stream: StreamView, signal: AbortSignal): Promise<MediaReply> {
  const playlist = await stream.multivariant(signal);
  if (playlist === undefined) return NOT_FOUND;
  return textReply(playlist.text, {
    'content-type': CONTENT_TYPE.playlist,
    'cache-control': CACHE_POLICY.multivariant.cacheControl(playlist.targetDuration),
    [UPSTREAM_HEADER.epoch]: String(playlist.epoch),
    [UPSTREAM_HEADER.targetDuration]: String(playlist.targetDuration),
  });
}

async function answerMediaPlaylist(
  stream: StreamView,
  path: MediaPath & { kind: 'media' },
  queryText: string,
  signal: AbortSignal,
): Promise<MediaReply> {
  let query: PlaylistQuery;
  try {
    query = parsePlaylistQuery(queryText);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return problemReply({ status: 400, title: 'Bad Request', detail: error.message });
  }
  const reply = await stream.mediaPlaylist(path.rendition, query, signal);
  if (reply.outcome === 'not-found') return NOT_FOUND;
  if (reply.outcome === 'too-far') return TOO_FAR;
  return textReply(reply.text, {
    'content-type': CONTENT_TYPE.playlist,
    'cache-control': CACHE_POLICY[playlistKind(query, reply)].cacheControl(reply.targetDuration),
    [UPSTREAM_HEADER.epoch]: String(reply.epoch),
    [UPSTREAM_HEADER.edgePosition]: `${reply.position.msn}.${reply.position.parts}`,
    [UPSTREAM_HEADER.state]: reply.state,
    [UPSTREAM_HEADER.targetDuration]: String(reply.targetDuration),
  });
}

/** A wait that ended before what it waited for was there must not be remembered as its answer. */
function playlistKind(query: PlaylistQuery, reply: PlaylistReply & { outcome: 'playlist' }) {
  if (reply.state === 'ended') return 'media-playlist-ended';
  return query.msn !== undefined && answersQuery(query, reply.position) ? 'media-playlist-blocking' : 'media-playlist';
}

function mediaReply(buffers: readonly Uint8Array[] | undefined, tag: string): MediaReply {
  if (buffers === undefined) return NOT_FOUND;
  return {
    status: 200,
    headers: {
      'content-type': CONTENT_TYPE.video,
      'cache-control': CACHE_POLICY.media.cacheControl(0),
      etag: `"${tag}"`,
    },
    body: buffers,
  };
}

function answerPoster(stream: StreamView): MediaReply {
  const picture = stream.poster();
  if (picture === undefined) return NOT_FOUND;
  return {
    status: 200,
    headers: { 'content-type': CONTENT_TYPE.poster, 'cache-control': CACHE_POLICY.poster.cacheControl(0) },
    body: [picture],
  };
}
