/**
 * The judge of playlists is itself judged: a good row of playlists passes, and each broken rule is found.
 */
import { describe, expect, test } from 'vitest';
import { PlaylistJudge } from './playlist_judge.ts';

interface Row {
  readonly first?: number;
  readonly target?: number;
  /** Seconds and, where it differs, the epoch and the date (s) of each segment. */
  readonly segments: readonly { readonly seconds: number; readonly epoch?: number; readonly dateS?: number }[];
  readonly discontinuityAt?: number;
  readonly partSeconds?: readonly number[];
}

/** A playlist of whole segments, then one that is being made. */
function playlist({ first = 10, target = 2, segments, discontinuityAt, partSeconds = [0.5, 0.5] }: Row): string {
  const whole = segments.flatMap(({ seconds, epoch = 1, dateS }, index) => [
    ...(first + index === discontinuityAt ? ['#EXT-X-DISCONTINUITY'] : []),
    `#EXT-X-MAP:URI="../${epoch}/a/init.mp4"`,
    `#EXT-X-PROGRAM-DATE-TIME:${new Date((dateS ?? 2 * (first + index)) * 1000).toISOString()}`,
    `#EXTINF:${seconds.toFixed(5)},`,
    `../${epoch}/a/${first + index}.m4s`,
  ]);
  const open = first + segments.length;
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    `#EXT-X-TARGETDURATION:${target}`,
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18,HOLD-BACK=9,PART-HOLD-BACK=1.5',
    '#EXT-X-PART-INF:PART-TARGET=0.5',
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    ...whole,
    `#EXT-X-PROGRAM-DATE-TIME:${new Date(2 * open * 1000).toISOString()}`,
    ...partSeconds.map((seconds, part) => `#EXT-X-PART:DURATION=${seconds},URI="../1/a/${open}.${part}.m4s"`),
    `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../1/a/${open}.${partSeconds.length}.m4s"`,
    '',
  ].join('\n');
}

const TWO = { seconds: 2 };

function judged(...rows: readonly Row[]): PlaylistJudge {
  const judge = new PlaylistJudge('http://127.0.0.1/s/a/index.m3u8');
  for (const row of rows) judge.judge(playlist(row));
  return judge;
}

test('a good row of playlists breaks nothing, and says where to wait', () => {
  const judge = judged({ segments: [TWO, TWO] }, { first: 11, segments: [TWO, TWO], partSeconds: [0.5] });
  expect(judge.violations).toEqual([]);
  expect(judge.lastMsn).toBe(13);
  expect(judge.next).toEqual({ msn: 13, part: 1 });
  expect(judge.preloadHint).toBe('http://127.0.0.1/s/1/a/13.1.m4s');
});

describe('finds', () => {
  test.each<[string, readonly Row[], RegExp]>([
    ['a hole', [{ segments: [TWO] }, { first: 14, segments: [TWO] }], /MSN 11 is followed by .* 14/],
    [
      'a step back',
      [
        { first: 12, segments: [TWO] },
        { first: 10, segments: [TWO] },
      ],
      /last MSN fell to 11/,
    ],
    ['another target duration', [{ segments: [TWO] }, { target: 3, segments: [TWO] }], /TARGETDURATION became 3/],
    [
      'one MSN under two URIs',
      [{ segments: [TWO, TWO] }, { segments: [TWO, { seconds: 2, epoch: 3 }] }],
      /MSN 11 was .*1\/a\/11.m4s and became .*3\/a\/11.m4s/,
    ],
    ['another duration', [{ segments: [TWO] }, { segments: [{ seconds: 1.9 }] }], /EXTINF of MSN 10 became 1.9/],
    ['a segment that is too long', [{ segments: [{ seconds: 2.6 }] }], /EXTINF duration/],
    ['another epoch without a word', [{ segments: [TWO, { seconds: 2, epoch: 3 }] }], /MSN 11: DISCONTINUITY is false/],
    ['a word without another epoch', [{ segments: [TWO, TWO], discontinuityAt: 11 }], /another EXT-X-MAP is false/],
    ['a date that goes back', [{ segments: [TWO, { seconds: 2, dateS: 21 }] }], /begins 1000 ms before/],
    ['a part that is too long', [{ segments: [TWO], partSeconds: [0.51] }], /part/i],
    ['a short part in the middle', [{ segments: [TWO], partSeconds: [0.3, 0.5] }], /85%/],
    ['parts that vanish', [{ segments: [TWO] }, { segments: [TWO], partSeconds: [0.5] }], /had 2 parts and has 1/],
  ])('%s', (_, rows, line) => {
    expect(judged(...rows).violations.join('\n')).toMatch(line);
  });
});
