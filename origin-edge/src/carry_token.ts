/**
 * A playlist whose URIs carry the viewer's token on without containing it: EXT-X-DEFINE with QUERYPARAM (RFC 8216bis
 * section 4.4.2.3) lets the player put it there, so that one text serves all viewers and any cache may keep it.
 */
const DEFINE = '#EXT-X-DEFINE:QUERYPARAM="token"';

/** @param text a multivariant or media playlist */
export function carryToken(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      if (line === '#EXTM3U') return `#EXTM3U\n${DEFINE}`;
      // QUERYPARAM needs version 11 (section 7).
      if (/^#EXT-X-VERSION:(?:[0-9]|10)$/.test(line)) return '#EXT-X-VERSION:11';
      if (line === '') return line;
      return line.startsWith('#') ? line.replace(/((?:^|[:,])URI=")([^"]*)(")/g, carryAttribute) : withToken(line);
    })
    .join('\n');
}

function carryAttribute(_: string, before: string, uri: string, after: string): string {
  return `${before}${withToken(uri)}${after}`;
}

function withToken(uri: string): string {
  return `${uri}${uri.includes('?') ? '&' : '?'}token={$token}`;
}
