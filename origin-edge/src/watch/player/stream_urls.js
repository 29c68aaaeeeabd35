/**
 * Every address that the player asks for. A playback token in the page's own address goes along to each of them.
 */

/** @typedef {{ readonly playlist: string, readonly status: string, readonly poster: string }} StreamUrls */

/**
 * @param {string} streamId
 * @param {string} pageSearch the page's query, `location.search`
 * @returns {StreamUrls} paths on the page's own origin
 */
export function streamUrls(streamId, pageSearch) {
  const token = new URLSearchParams(pageSearch).get('token');
  const query = token === null ? '' : `?token=${encodeURIComponent(token)}`;
  const stream = `/${encodeURIComponent(streamId)}`;
  return {
    playlist: `${stream}/live.m3u8${query}`,
    status: `${stream}/status.json${query}`,
    poster: `${stream}/poster.jpg${query}`,
  };
}

/**
 * The rendition that a media playlist's address names (`…/{rendition}/index.m3u8`), undefined for any other address.
 *
 * @param {string} url
 * @returns {string | undefined}
 */
export function renditionOfPlaylist(url) {
  return /\/([a-z0-9][a-z0-9_-]{0,31})\/index\.m3u8(?:$|[?#])/.exec(url)?.[1];
}
