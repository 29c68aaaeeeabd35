/**
 * Closes a live media playlist: what announces more goes, EXT-X-ENDLIST comes (RFC 8216bis section 4.4.3.4).
 */
const ANNOUNCES_MORE = /^#EXT-X-(?:PRELOAD-HINT|RENDITION-REPORT|SERVER-CONTROL)[:,]?/;

/** @param text a media playlist; one that is closed already comes back as it is */
export function endPlaylist(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !ANNOUNCES_MORE.test(line));
  if (lines.includes('#EXT-X-ENDLIST')) return text;
  return `${[...lines, '#EXT-X-ENDLIST'].join('\n')}\n`;
}
