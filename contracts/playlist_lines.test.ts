import { describe, expect, it } from 'vitest';
import { parseRenditionName, parseStreamId } from './ids.ts';
import { readPlaylistLines } from './playlist_lines.ts';
import { playlistLines, renderRecordingMedia } from './recording_playlist.ts';
import { recordingTimeline } from './recording_timeline.ts';
import { HIGH, START_MS, both, entry, session } from './testing/recorded_session.ts';

const DEMO = parseStreamId('demo');

describe('readPlaylistLines', () => {
  it('reads back what was rendered', () => {
    const indexes = [both(5, [entry(10, 0), entry(11, 2, { duration: 1.5 })]), both(6, [entry(14, 8)])];
    const timeline = recordingTimeline(session(), indexes, { final: true });
    const text = renderRecordingMedia(timeline, HIGH, { final: true });
    expect(readPlaylistLines(text, DEMO, HIGH)).toEqual({
      targetDuration: 2,
      discontinuitySequence: 0,
      ended: true,
      lines: playlistLines(timeline, HIGH),
    });
  });

  it('reads a live playlist without what is still being made', () => {
    const text = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z
#EXT-X-PART:DURATION=0.50000,URI="../5/720p/10.0.m4s"
#EXTINF:2.00000,
../5/720p/10.m4s
#EXT-X-GAP
#EXTINF:2.00000,
../5/720p/11.m4s
#EXT-X-PART:DURATION=0.50000,URI="../5/720p/12.0.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../5/720p/12.1.m4s"
`;
    expect(readPlaylistLines(text, DEMO, HIGH)).toEqual({
      targetDuration: 2,
      discontinuitySequence: 4,
      ended: false,
      lines: [
        { msn: 10, epoch: 5, pdt: START_MS, duration: 2, gap: false },
        { msn: 11, epoch: 5, pdt: START_MS + 2000, duration: 2, gap: true },
      ],
    });
  });

  it.each(['', '#EXTM3U\n', '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n../../other/5/720p/1.m4s\n'])(
    'knows what is no playlist of this rendition: %j',
    (text) => {
      expect(readPlaylistLines(text, DEMO, HIGH)).toBeUndefined();
    },
  );

  it('is not fooled by another rendition', () => {
    const text = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n../5/720p/1.m4s\n';
    expect(readPlaylistLines(text, DEMO, parseRenditionName('360p'))).toBeUndefined();
  });
});
