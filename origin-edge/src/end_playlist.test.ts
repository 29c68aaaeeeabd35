import { expect, it } from 'vitest';
import { endPlaylist } from './end_playlist.ts';

it('closes a live playlist, takes out what announces more, and the parts', () => {
  const live = [
    '#EXTM3U',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
    '#EXT-X-PART-INF:PART-TARGET=0.5',
    '#EXT-X-MEDIA-SEQUENCE:7',
    '#EXT-X-PART:DURATION=0.5,URI="/demo/5/720p/7.0.m4s",INDEPENDENT=YES',
    '#EXTINF:2.0,',
    '/demo/5/720p/7.m4s',
    '#EXT-X-DISCONTINUITY',
    '#EXT-X-MAP:URI="/demo/6/720p/init.mp4"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-22T12:00:02.000Z',
    '#EXT-X-PART:DURATION=0.5,URI="/demo/6/720p/8.0.m4s",INDEPENDENT=YES',
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/demo/5/720p/8.0.m4s"',
    '#EXT-X-RENDITION-REPORT:URI="/demo/360p/index.m3u8",LAST-MSN=8,LAST-PART=0',
    '',
  ].join('\n');
  const ended = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXTINF:2.0,
/demo/5/720p/7.m4s
#EXT-X-ENDLIST
`;
  expect(endPlaylist(live)).toBe(ended);
  expect(endPlaylist(ended)).toBe(ended);
});
