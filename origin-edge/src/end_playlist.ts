/**
 * Closes a live media playlist for as long as anybody asks for it: what announces more goes, EXT-X-ENDLIST comes (RFC
 * 8216bis section 4.4.3.4). Parts go too: whole segments are recorded, parts die with their server's window.
 */
const OF_LIVE_ALONE = /^#EXT-X-(?:PRELOAD-HINT|RENDITION-REPORT|SERVER-CONTROL|PART|PART-INF):/;

/** @param text a media playlist, closed already or not */
export function endPlaylist(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !OF_LIVE_ALONE.test(line));
  // What stands after the last segment belongs to one that never became whole.
  const last = lines.findLastIndex((line) => !line.startsWith('#'));
  const kept = last < 0 ? lines.filter((line) => line !== '#EXT-X-ENDLIST') : lines.slice(0, last + 1);
  return `${[...kept, '#EXT-X-ENDLIST'].join('\n')}\n`;
}
