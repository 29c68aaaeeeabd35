import { expect, it } from 'vitest';
import { endPlaylist } from './end_playlist.ts';

it('closes a live playlist and takes out what announces more', () => {
  const live = [
    '#EXTM3U',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
    '#EXT-X-MEDIA-SEQUENCE:7',
    '#EXTINF:2.0,',
    '/demo/5/720p/7.m4s',
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
