/**
 * Every address that the player asks for. A playback token in the page's own address goes along to each of them.
 */

/**
 * @typedef {object} StreamUrls
 * @property {string} playlist
 * @property {string} rewind the same from the session's start
 * @property {string | undefined} recording the one that the page's address names (`?vod=`)
 * @property {string} status
 * @property {string} poster
 */

const SESSION_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/**
 * @param {string} streamId
 * @param {string} pageSearch the page's query, `location.search`
 * @returns {StreamUrls} paths on the page's own origin
 */
export function streamUrls(streamId, pageSearch) {
  const search = new URLSearchParams(pageSearch);
  const token = search.get('token');
  const vod = search.get('vod');
  const query = token === null ? '' : `?token=${encodeURIComponent(token)}`;
  const stream = `/${encodeURIComponent(streamId)}`;
  return {
    playlist: `${stream}/live.m3u8${query}`,
    rewind: `${stream}/rewind.m3u8${query}`,
    recording: vod === null ? undefined : `${stream}/vod-${SESSION_ID.test(vod) ? vod : 'unknown'}.m3u8${query}`,
    status: `${stream}/status.json${query}`,
    poster: `${stream}/poster.jpg${query}`,
  };
}

/**
 * The page that plays a recording, or live.
 *
 * @param {string} pageSearch the page's query
 * @param {string | undefined} sessionId undefined: live
 * @returns {string} the query to go to, on the same path
 */
export function pageQuery(pageSearch, sessionId) {
  const search = new URLSearchParams(pageSearch);
  search.delete('vod');
  if (sessionId !== undefined) search.set('vod', sessionId);
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * The rendition that a media playlist's address names (`…/{rendition}/index.m3u8`, `…/rewind/{rendition}.m3u8`,
 * `…/vod-…/{rendition}.m3u8`), undefined for any other address.
 *
 * @param {string} url
 * @returns {string | undefined}
 */
export function renditionOfPlaylist(url) {
  const path =
    /\/(?:([a-z0-9][a-z0-9_-]{0,31})\/index|(?:rewind|vod-[0-9A-Z]+)\/([a-z0-9][a-z0-9_-]{0,31}))\.m3u8(?:$|[?#])/;
  const match = path.exec(url);
  return match?.[1] ?? match?.[2];
}
