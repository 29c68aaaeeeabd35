import * as HLS from 'hls-parser';
import { expect, test } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import { renderMediaPlaylist } from './media_playlist.ts';
import type { MediaPlaylist, PlaylistSegment } from './media_playlist.ts';
import { renderMultivariantPlaylist } from './multivariant_playlist.ts';

HLS.setOptions({ strictMode: true });

const EPOCH = 1_790_000_000_000 as Epoch;
const LATER = 1_790_000_060_000 as Epoch;
const HIGH = '720p' as RenditionName;
const LOW = '360p' as RenditionName;
const START = Date.UTC(2026, 10, 22, 18);

/** Parts of half a second; the first begins with a key frame. */
function segment(
  msn: number,
  options: Partial<PlaylistSegment> & { readonly partCount?: number } = {},
): PlaylistSegment {
  const { partCount = 4, ...rest } = options;
  return {
    epoch: EPOCH,
    msn,
    duration: partCount * 45_000,
    programDateTimeMs: START + (msn - 100) * 2000,
    discontinuity: false,
    gap: false,
    complete: true,
    parts: Array.from({ length: partCount }, (_, index) => ({ duration: 45_000, independent: index === 0 })),
    ...rest,
  };
}

const BASE: MediaPlaylist = {
  streamId: 'demo' as StreamId,
  rendition: HIGH,
  targetDuration: 2,
  partTarget: 0.5,
  partHoldBack: 1.5,
  discontinuitySequence: 0,
  segments: [segment(100), segment(101), segment(102, { complete: false, partCount: 2 })],
  initialized: new Set([EPOCH, LATER]),
  hint: { epoch: EPOCH, msn: 102, part: 2 },
  reports: [{ rendition: LOW, lastMsn: 102, lastPart: 1 }],
  ended: false,
};

const HEADER = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,HOLD-BACK=6,PART-HOLD-BACK=1.5
#EXT-X-PART-INF:PART-TARGET=0.5
`;

function render(playlist: MediaPlaylist, skip = false): string {
  const text = renderMediaPlaylist(playlist, skip);
  expect(HLS.parse(text).isMasterPlaylist).toBe(false);
  return text;
}

test('the first whole segments and the parts of the one being made', () => {
  expect(render(BASE)).toBe(`${HEADER}#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="../1790000000000/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:00.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.3.m4s"
#EXTINF:2.00000,
../1790000000000/720p/100.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:02.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/101.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/101.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/101.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/101.3.m4s"
#EXTINF:2.00000,
../1790000000000/720p/101.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:04.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/102.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/102.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../1790000000000/720p/102.2.m4s"
#EXT-X-RENDITION-REPORT:URI="../360p/index.m3u8",LAST-MSN=102,LAST-PART=1
`);
});

const STEADY: MediaPlaylist = {
  ...BASE,
  segments: Array.from({ length: 9 }, (_, index) => segment(100 + index)),
  hint: { epoch: EPOCH, msn: 109, part: 0 },
  reports: [{ rendition: LOW, lastMsn: 108, lastPart: 3 }],
};

const STEADY_TAIL = [107, 108]
  .map(
    (msn) => `#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:${2 * (msn - 100)}.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/${msn}.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/${msn}.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/${msn}.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/${msn}.3.m4s"
#EXTINF:2.00000,
../1790000000000/720p/${msn}.m4s
`,
  )
  .join('');

const STEADY_MIDDLE = `#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:06.000Z
#EXTINF:2.00000,
../1790000000000/720p/103.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:08.000Z
#EXTINF:2.00000,
../1790000000000/720p/104.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:10.000Z
#EXTINF:2.00000,
../1790000000000/720p/105.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:12.000Z
#EXTINF:2.00000,
../1790000000000/720p/106.m4s
`;

const STEADY_END = `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../1790000000000/720p/109.0.m4s"
#EXT-X-RENDITION-REPORT:URI="../360p/index.m3u8",LAST-MSN=108,LAST-PART=3
`;

test('steady state: parts of the last three target durations, a hint of the next segment', () => {
  expect(render(STEADY)).toBe(`${HEADER}#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="../1790000000000/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:00.000Z
#EXTINF:2.00000,
../1790000000000/720p/100.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:02.000Z
#EXTINF:2.00000,
../1790000000000/720p/101.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:04.000Z
#EXTINF:2.00000,
../1790000000000/720p/102.m4s
${STEADY_MIDDLE}${STEADY_TAIL}${STEADY_END}`);
});

test('a delta update leaves out what is older than six target durations', () => {
  expect(render(STEADY, true)).toBe(`${HEADER}#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-SKIP:SKIPPED-SEGMENTS=3
#EXT-X-MAP:URI="../1790000000000/720p/init.mp4"
${STEADY_MIDDLE}${STEADY_TAIL}${STEADY_END}`);
});

test('a delta update of a short playlist is the playlist', () => {
  expect(render(BASE, true)).toBe(render(BASE));
});

test('a new epoch: DISCONTINUITY, its own MAP, gaps, and no skipping past the discontinuity', () => {
  const restarted: MediaPlaylist = {
    ...BASE,
    discontinuitySequence: 4,
    segments: [
      segment(100, { partCount: 3 }),
      segment(101, { gap: true, parts: [] }),
      segment(102, { epoch: LATER, discontinuity: true, programDateTimeMs: START + 9000.4 }),
      segment(103, { epoch: LATER, complete: false, partCount: 1, programDateTimeMs: START + 11_000.4 }),
    ],
    hint: { epoch: LATER, msn: 103, part: 1 },
  };
  expect(render(restarted)).toBe(`${HEADER}#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:4
#EXT-X-MAP:URI="../1790000000000/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:00.000Z
#EXTINF:1.50000,
../1790000000000/720p/100.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:02.000Z
#EXT-X-GAP
#EXTINF:2.00000,
../1790000000000/720p/101.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../1790000060000/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:09.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000060000/720p/102.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000060000/720p/102.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000060000/720p/102.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000060000/720p/102.3.m4s"
#EXTINF:2.00000,
../1790000060000/720p/102.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:11.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000060000/720p/103.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../1790000060000/720p/103.1.m4s"
#EXT-X-RENDITION-REPORT:URI="../360p/index.m3u8",LAST-MSN=102,LAST-PART=1
`);
  const early = STEADY.segments.with(1, segment(101, { discontinuity: true }));
  expect(renderMediaPlaylist({ ...STEADY, segments: early }, true)).toContain('SKIPPED-SEGMENTS=1\n');
});

test('the end: ENDLIST, no hint, no reports', () => {
  const { hint, ...rest } = BASE;
  expect(hint).toBeDefined();
  const ended = render({ ...rest, segments: [segment(100), segment(101, { partCount: 1 })], ended: true });
  expect(ended).toBe(`${HEADER}#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="../1790000000000/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:00.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/100.3.m4s"
#EXTINF:2.00000,
../1790000000000/720p/100.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:00:02.000Z
#EXT-X-PART:DURATION=0.50000,URI="../1790000000000/720p/101.0.m4s",INDEPENDENT=YES
#EXTINF:0.50000,
../1790000000000/720p/101.m4s
#EXT-X-ENDLIST
`);
});

test('a part that milliseconds made a little too long is listed at PART-TARGET', () => {
  const parts = [{ duration: 45_090, independent: true }];
  const long = segment(100, { parts, duration: 45_090 });
  const text = renderMediaPlaylist({ ...BASE, segments: [long] }, false);
  expect(text).toContain('#EXT-X-PART:DURATION=0.50000,');
  expect(text).toContain('#EXTINF:0.50100,');
});

test('the multivariant playlist', () => {
  const shape = { codecs: 'avc1.64001f,mp4a.40.2', frameRate: 29.97, averageBandwidth: 928_000, bandwidth: 1_100_000 };
  const text = renderMultivariantPlaylist({
    targetDuration: 2,
    partTarget: 0.5,
    renditions: [
      { ...shape, name: LOW, resolution: { width: 640, height: 360 } },
      { ...shape, name: HIGH, resolution: { width: 1280, height: 720 }, bandwidth: 3_400_000 },
      { name: 'audio' as RenditionName, codecs: 'mp4a.40.2', bandwidth: 140_000, averageBandwidth: 128_000 },
    ],
  });
  expect(HLS.parse(text).isMasterPlaylist).toBe(true);
  expect(text).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1100000,AVERAGE-BANDWIDTH=928000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970
360p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3400000,AVERAGE-BANDWIDTH=928000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970
720p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"
audio/index.m3u8
`);
});
