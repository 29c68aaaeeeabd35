/**
 * A recording's media playlist for VLC 3, which reads no second EXT-X-MAP and no EXT-X-GAP: after a discontinuity it
 * stops for want of an initialization segment, and at a gap for want of a segment. Its own form lists the first segment
 * of each epoch with its initialization segment before it, and of a gap such a segment alone, which a gap's URI may name
 * since it "does not contain media data" (RFC 8216bis section 4.4.4.7).
 */

/** Whether a request says that it comes from VLC. */
export function isVlc(headers: { get(name: string): string | null }): boolean {
  return headers.get('user-agent')?.startsWith('VLC/') === true;
}

/** @param text a media playlist of a recording */
export function vlcForm(text: string): string {
  let maps = 0;
  let form = '';
  return text
    .split('\n')
    .map((line) => {
      if (line.startsWith('#EXT-X-MAP:')) {
        maps += 1;
        if (maps > 1) form = '?init=1';
      } else if (line === '#EXT-X-GAP') {
        form = '?gap=1';
      } else if (line !== '' && !line.startsWith('#')) {
        const uri = `${line}${form}`;
        form = '';
        return uri;
      }
      return line;
    })
    .join('\n');
}
