/**
 * Renders the multivariant playlist of a session from its fixed shape (RFC 8216bis section 4.4.6).
 */
import type { SessionShape } from '../../contracts/stream_shape.ts';

export function renderMultivariantPlaylist(shape: SessionShape): string {
  // Every segment begins with a key frame (4.4.2.1), and no tag here wants more than version 9, that of the media playlists.
  const lines = ['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS'];
  for (const rendition of shape.renditions) {
    const { resolution, frameRate } = rendition;
    const attributes = [
      `BANDWIDTH=${rendition.bandwidth}`,
      `AVERAGE-BANDWIDTH=${rendition.averageBandwidth}`,
      `CODECS="${rendition.codecs}"`,
    ];
    if (resolution !== undefined) attributes.push(`RESOLUTION=${resolution.width}x${resolution.height}`);
    if (frameRate !== undefined) attributes.push(`FRAME-RATE=${frameRate.toFixed(3)}`);
    // Relative to /{streamId}/live.m3u8, see contracts/media_paths.ts.
    lines.push(`#EXT-X-STREAM-INF:${attributes.join(',')}`, `${rendition.name}/index.m3u8`);
  }
  lines.push('');
  return lines.join('\n');
}
