import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEpoch, parseRenditionName, parseStreamId } from './ids.ts';
import type { IndexEntry, RecordingIndex } from './recording.ts';
import {
  playlistLines,
  renderRecordedPlaylist,
  renderRecordingMedia,
  renderRecordingMultivariant,
  renderRewindMultivariant,
} from './recording_playlist.ts';
import { MAX_HOLE, recordingTimeline } from './recording_timeline.ts';
import { HIGH, LOW, SHA, START_MS, both, entry, gap, index, session } from './testing/recorded_session.ts';

const text = (indexes: readonly RecordingIndex[], final: boolean, rendition = HIGH): string =>
  renderRecordingMedia(recordingTimeline(session(), indexes, { final }), rendition, { final });

describe('the multivariant playlist of a recording', () => {
  it('lists the recorded renditions with what the live one says', () => {
    expect(renderRecordingMultivariant(session())).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=900000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000
vod-01JBX0000000000000000000AA/360p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2900000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000
vod-01JBX0000000000000000000AA/720p.m3u8
`);
  });

  it('leaves out what is not recorded, and hands a clip on', () => {
    const top = session({ record: 'top', renditions: [HIGH] });
    expect(renderRecordingMultivariant(top, '?start=1&end=2')).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2900000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000
vod-01JBX0000000000000000000AA/720p.m3u8?start=1&end=2
`);
  });

  it('of a rewind leads to its media playlists', () => {
    const { renditions } = session().shape;
    expect(renderRewindMultivariant(renditions).split('\n').slice(3)).toEqual([
      expect.stringContaining('BANDWIDTH=1000000'),
      'rewind/360p.m3u8',
      expect.stringContaining('BANDWIDTH=3000000'),
      'rewind/720p.m3u8',
      '',
    ]);
  });
});

describe('the media playlist of a recording', () => {
  it('is an EVENT while the show goes on', () => {
    expect(text([both(5, [entry(10, 0), entry(11, 2)])], false)).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=0,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z
#EXTINF:2.00000,
../5/720p/10.m4s
#EXTINF:2.00000,
../5/720p/11.m4s
`);
  });

  it('is a VOD over reconnects, a change of server, a crash and what could not be stored', () => {
    const indexes = [
      both(5, [entry(10, 0, { duration: 2.002 }), entry(11, 2.002, { duration: 0.7 })]),
      // The same server, a new publisher: the numbers go on.
      index(8, { '360p': [entry(12, 5), entry(13, 7)], '720p': [entry(12, 5), gap(13, 7)] }),
      // Another server after a crash: numbers were skipped, 3 s are missing.
      both(9, [entry(16, 12)]),
    ];
    expect(text(indexes, true)).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-START:TIME-OFFSET=0,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z
#EXTINF:2.00200,
../5/720p/10.m4s
#EXTINF:0.70000,
../5/720p/11.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../8/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:05.000Z
#EXTINF:2.00000,
../8/720p/12.m4s
#EXT-X-GAP
#EXTINF:2.00000,
../8/720p/13.m4s
#EXT-X-GAP
#EXTINF:1.50000,
../8/720p/14.m4s
#EXT-X-GAP
#EXTINF:1.50000,
../8/720p/15.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../9/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:12.000Z
#EXTINF:2.00000,
../9/720p/16.m4s
#EXT-X-ENDLIST
`);
    const numbers = (rendition: typeof LOW) =>
      playlistLines(recordingTimeline(session(), indexes, { final: true }), rendition).map(({ msn }) => msn);
    expect(numbers(LOW)).toEqual(numbers(HIGH));
    expect(text(indexes, true, LOW).match(/#EXT-X-GAP/g)).toHaveLength(2);
  });

  it('has a gap for what one rendition lacks, and for segments without an initialization segment', () => {
    const indexes = [
      index(5, { '360p': [entry(10, 0), entry(11, 2)], '720p': [entry(11, 2)] }),
      both(6, [entry(12, 4)], { inits: { '360p': { size: 1, sha256: SHA } } }),
    ];
    const lines = playlistLines(recordingTimeline(session(), indexes, { final: true }), HIGH);
    expect(lines.map((line) => [line.msn, line.gap, line.pdt - START_MS])).toEqual([
      [10, true, 0],
      [11, false, 2000],
      [12, true, 4000],
    ]);
    expect(text(indexes, true)).not.toContain('6/720p/init.mp4');
  });

  it('says the time again where it is not what the segments before imply', () => {
    const indexes = [both(5, [entry(10, 0), entry(11, 2), entry(12, 4.5), entry(13, 6.5)])];
    expect(text(indexes, true).match(/PROGRAM-DATE-TIME.*/g)).toEqual([
      'PROGRAM-DATE-TIME:2026-11-22T20:00:00.000Z',
      'PROGRAM-DATE-TIME:2026-11-22T20:00:04.500Z',
    ]);
  });

  it('gives TARGETDURATION room for the longest segment', () => {
    expect(text([both(5, [entry(10, 0, { duration: 2.49 })])], true)).toContain('TARGETDURATION:2\n');
    expect(text([both(5, [entry(10, 0, { duration: 3.6 })])], true)).toContain('TARGETDURATION:4\n');
  });

  it('of a recording without any segment is empty, and still a playlist', () => {
    expect(text([], false)).toBe(
      '#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n' +
        '#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n#EXT-X-MEDIA-SEQUENCE:0\n',
    );
  });

  it('refuses a rendition that is not recorded', () => {
    const timeline = recordingTimeline(session(), [], { final: true });
    expect(() => playlistLines(timeline, parseRenditionName('1080p'))).toThrow(RangeError);
  });
});

const msns = (
  indexes: readonly RecordingIndex[],
  options: Parameters<typeof recordingTimeline>[2] = { final: false },
): number[] => recordingTimeline(session(), indexes, options).rows.map((row) => row.msn);

describe('rows while the show goes on', () => {
  it('stand once every rendition has said what became of them', () => {
    expect(msns([index(5, { '360p': [entry(10, 0), entry(11, 2)], '720p': [entry(10, 0)] })])).toEqual([10]);
    expect(msns([index(5, { '360p': [entry(10, 0), entry(11, 2)], '720p': [entry(10, 0), gap(11, 2)] })])).toEqual([
      10, 11,
    ]);
    expect(msns([both(5, [entry(10, 0), entry(12, 4)])])).toEqual([10]);
  });

  it('wait for an older epoch that may still grow', () => {
    const moved = [both(5, [entry(10, 0), entry(11, 2)]), both(6, [entry(13, 6), entry(14, 8)])];
    expect(msns(moved)).toEqual([10, 11]);
    expect(msns([...moved, both(5, [entry(12, 4)], { serial: 1 })])).toEqual([10, 11, 12, 13, 14]);
    expect(msns(moved, { final: false, settled: new Set([parseEpoch(5)]) })).toEqual([10, 11, 12, 13, 14]);
  });

  it('are the same whether a tail repeats what was sealed or not', () => {
    const sealed = both(5, [entry(10, 0), entry(11, 2)]);
    const tail = both(5, [entry(10, 0), entry(11, 2), entry(12, 4)]);
    expect(msns([tail, sealed])).toEqual([10, 11, 12]);
  });

  it('end where the next epoch begins, whatever a replaced owner wrote after that', () => {
    const indexes = [both(5, [entry(10, 0), entry(11, 2), entry(12, 4), entry(13, 6)]), both(6, [entry(12, 4)])];
    const { rows } = recordingTimeline(session(), indexes, { final: true });
    expect(rows.map((row) => [row.epoch, row.msn])).toEqual([
      [5, 10],
      [5, 11],
      [6, 12],
    ]);
  });

  it('prefer a segment that was found to the gap that was said', () => {
    const indexes = [both(5, [gap(10, 0)]), both(5, [entry(10, 0)]), both(5, [gap(10, 0)])];
    expect(recordingTimeline(session(), indexes, { final: true }).rows[0]?.stored[0]?.size).toBe(1000);
  });

  it('stay countable when numbers jump far', () => {
    const indexes = [both(5, [entry(10, 0)]), both(6, [entry(12 + MAX_HOLE, 100)])];
    expect(msns(indexes, { final: true })).toEqual([10, 11, 12 + MAX_HOLE]);
  });

  it('are only ever appended', () => {
    const history = fc.array(
      fc.record({ gapBefore: fc.integer({ min: 0, max: 4 }), count: fc.integer({ min: 1, max: 6 }) }),
      { minLength: 1, maxLength: 4 },
    );
    const property = fc.property(history, fc.integer({ min: 0, max: 1e6 }), (epochs, seed) => {
      const steps = unfold(epochs, seed);
      let before: string[] = [];
      for (const indexes of steps) {
        const lines = text(indexes, false).trimEnd().split('\n');
        // Nothing to be asked for yet.
        if (!lines.some((line) => line.startsWith('#EXTINF'))) continue;
        expect(lines.slice(0, before.length)).toEqual(before);
        before = lines;
      }
    });
    fc.assert(property, { numRuns: 200 });
  });
});

/** What a reader sees as segments of three renditions become durable one by one, in a random order of renditions. */
function unfold(
  epochs: readonly { readonly gapBefore: number; readonly count: number }[],
  seed: number,
): RecordingIndex[][] {
  let state = seed + 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const seen: RecordingIndex[] = [];
  const steps: RecordingIndex[][] = [];
  let msn = 10;
  for (const [number, { gapBefore, count }] of epochs.entries()) {
    // A hole between epochs is not decided before the older one is settled; here it never is.
    msn += number === 0 ? 0 : gapBefore;
    const lists: Record<string, IndexEntry[]> = { '360p': [], '720p': [] };
    const first = msn;
    msn += count;
    for (;;) {
      const open = Object.values(lists).filter((list) => list.length < count);
      const list = open[Math.floor(random() * open.length)];
      if (list === undefined) break;
      const at = first + list.length;
      list.push(random() < 0.2 ? gap(at, at * 2) : entry(at, at * 2));
      steps.push([...seen, index(5 + number, lists)]);
    }
    seen.push(index(5 + number, lists));
  }
  return steps;
}

describe('a sliding playlist', () => {
  const lines = Array.from({ length: 20 }, (_, position) => ({
    msn: 100 + position,
    epoch: parseEpoch(position < 3 ? 5 : 6),
    pdt: START_MS + position * 2000,
    duration: 2,
    gap: false,
  }));
  const playlist = {
    streamId: parseStreamId('demo'),
    rendition: HIGH,
    targetDuration: 2,
    type: 'sliding',
    ended: false,
    lines,
    discontinuitySequence: 4,
    skip: true,
  } as const;

  it('offers delta updates that leave out what lies before the skip boundary', () => {
    expect(renderRecordedPlaylist(playlist)).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:4
#EXT-X-SKIP:SKIPPED-SEGMENTS=14
#EXT-X-MAP:URI="../6/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:28.000Z
#EXTINF:2.00000,
../6/720p/114.m4s
#EXTINF:2.00000,
../6/720p/115.m4s
#EXTINF:2.00000,
../6/720p/116.m4s
#EXTINF:2.00000,
../6/720p/117.m4s
#EXTINF:2.00000,
../6/720p/118.m4s
#EXTINF:2.00000,
../6/720p/119.m4s
`);
  });

  it('is whole for who does not ask for less, and while there is nothing to skip', () => {
    expect(renderRecordedPlaylist({ ...playlist, skip: false }).match(/#EXTINF/g)).toHaveLength(20);
    const short = renderRecordedPlaylist({ ...playlist, lines: lines.slice(0, 6) });
    expect(short).not.toContain('EXT-X-SKIP:');
    expect(short).toContain('#EXT-X-DISCONTINUITY\n');
  });
});

describe('twelve hours', () => {
  it('take milliseconds', () => {
    const indexes = Array.from({ length: 720 }, (_, serial) => {
      const list = Array.from({ length: 30 }, (__, position) =>
        entry(serial * 30 + position, (serial * 30 + position) * 2),
      );
      return both(5, list, { serial });
    });
    const startMs = Date.now();
    const timeline = recordingTimeline(session(), indexes, { final: true });
    const playlist = renderRecordingMedia(timeline, HIGH, { final: true });
    const tookMs = Date.now() - startMs;
    expect(playlist.match(/#EXTINF/g)).toHaveLength(21_600);
    // About 40 ms on an idle machine. The bound is for what grows faster than its input.
    expect(tookMs).toBeLessThan(2000);
  });
});
