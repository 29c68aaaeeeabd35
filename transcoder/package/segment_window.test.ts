import * as HLS from 'hls-parser';
import { describe, expect, test } from 'vitest';
import type { Epoch } from '../../contracts/ids.ts';
import type { PublishedSegment, SegmentWindow } from './segment_window.ts';
import { StreamWindowView } from './stream_window_view.ts';
import {
  ANCHOR,
  FIRST,
  HIGH,
  LOW,
  NEVER,
  SECOND,
  START,
  appendPart,
  appendSegment,
  appendSegments,
  makeWindow,
} from './testing/filled_window.ts';

HLS.setOptions({ strictMode: true });

async function playlist(window: SegmentWindow, rendition = HIGH, skip = false): Promise<string> {
  const reply = await new StreamWindowView(window).mediaPlaylist(rendition, { skip }, NEVER);
  if (reply.outcome !== 'playlist') throw new Error(reply.outcome);
  expect(HLS.parse(reply.text).isMasterPlaylist).toBe(false);
  return reply.text;
}

/** The lines that tell numbers and kinds: tags without their durations and dates. */
function outline(text: string): string[] {
  return text.split('\n').filter((line) => /SEQUENCE|DISCONTINUITY|MAP|GAP|ENDLIST|HINT|REPORT|^\.\./.test(line));
}

describe('SegmentWindow', () => {
  test('numbers and dates segments alike in all renditions', () => {
    const window = makeWindow();
    const published: PublishedSegment[] = [];
    window.onSegment((segment) => published.push(segment));
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 2);
    expect(
      published.map(({ rendition, msn, programDateTimeMs, bytes }) => [
        rendition,
        msn,
        programDateTimeMs - START,
        bytes,
      ]),
    ).toEqual([
      [LOW, 100, 0, 32],
      [HIGH, 100, 0, 32],
      [LOW, 101, 2000, 32],
      [HIGH, 101, 2000, 32],
    ]);
    expect(window.nextMsn).toBe(102);
    expect(window.programDateTimeEndMs).toBe(START + 4000);
    expect(window.bytes).toBe(128);
    expect(window.measuredBandwidth(HIGH)).toEqual({ peak: 128, average: 128 });
  });

  test('closes unequal renditions with gaps, so that the next epoch begins at one number', async () => {
    const window = makeWindow();
    const first = window.startEpoch(FIRST, ANCHOR);
    appendSegments(first, 0, 1);
    appendSegment(first, 1, 1);
    appendPart(first, 1, 2);
    const second = window.startEpoch(SECOND, { mediaSeconds: 10, programDateTimeMs: START + 1000 });
    expect(second.firstMsn).toBe(103);
    appendSegments(second, 0, 1);
    expect(outline(await playlist(window, LOW))).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:100',
      '#EXT-X-MAP:URI="../1000/360p/init.mp4"',
      '../1000/360p/100.m4s',
      '#EXT-X-GAP',
      '../1000/360p/101.m4s',
      '#EXT-X-GAP',
      '../1000/360p/102.m4s',
      '#EXT-X-DISCONTINUITY',
      '#EXT-X-MAP:URI="../2000/360p/init.mp4"',
      '../2000/360p/103.m4s',
      '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../2000/360p/104.0.m4s"',
      '#EXT-X-RENDITION-REPORT:URI="../720p/index.m3u8",LAST-MSN=103,LAST-PART=3',
    ]);
    const low = window.track(LOW)?.listed() ?? [];
    const high = window.track(HIGH)?.listed() ?? [];
    expect(low.map(({ msn, duration, programDateTimeMs }) => [msn, duration, programDateTimeMs])).toEqual(
      high.map(({ msn, duration, programDateTimeMs }) => [msn, duration, programDateTimeMs]),
    );
    // The new epoch's clock says an earlier time than the last segment's end: it is moved there.
    expect(low.at(-1)?.programDateTimeMs).toBe(START + 4500);
    expect(window.discontinuitySequence).toBe(1);
  });

  test('a rendition that is not made follows the others as gaps, at once', async () => {
    const window = makeWindow();
    const epoch = window.startEpoch(FIRST, ANCHOR);
    epoch.abandon(1);
    epoch.setInit(0, Buffer.from('init'));
    appendSegment(epoch, 0, 0);
    appendSegment(epoch, 0, 1);
    expect(outline(await playlist(window, HIGH))).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:100',
      '#EXT-X-GAP',
      '../1000/720p/100.m4s',
      '#EXT-X-GAP',
      '../1000/720p/101.m4s',
      '#EXT-X-RENDITION-REPORT:URI="../360p/index.m3u8",LAST-MSN=101,LAST-PART=3',
    ]);
  });

  test('an epoch without a segment leaves no trace', async () => {
    const window = makeWindow();
    window.startEpoch(FIRST, ANCHOR);
    appendSegments(window.startEpoch(SECOND, ANCHOR), 0, 1);
    expect(await playlist(window)).not.toContain('DISCONTINUITY');
    expect(() => window.startEpoch(SECOND, ANCHOR)).toThrow(RangeError);
  });

  test('carries on where another server was', async () => {
    const window = makeWindow({
      resumed: true,
      carryOn: { nextMsn: 512, discontinuitySequence: 7, programDateTimeEndMs: START + 60_000 },
    });
    expect(window.nextMsn).toBe(512);
    expect(window.programDateTimeEndMs).toBe(START + 60_000);
    appendSegments(window.startEpoch(SECOND, ANCHOR), 0, 1);
    const text = await playlist(window);
    expect(outline(text).slice(0, 5)).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:512',
      '#EXT-X-DISCONTINUITY-SEQUENCE:7',
      '#EXT-X-DISCONTINUITY',
      '#EXT-X-MAP:URI="../2000/720p/init.mp4"',
      '../2000/720p/512.m4s',
    ]);
    expect(text).toContain('#EXT-X-PROGRAM-DATE-TIME:2026-11-22T18:01:00.000Z');
    expect(window.discontinuitySequence).toBe(8);
  });

  test('keeps a minute in the playlist, and counts the discontinuities that leave it', async () => {
    const window = makeWindow({ windowSeconds: 10, retainSeconds: 4 });
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 3);
    appendSegments(window.startEpoch(SECOND, ANCHOR), 0, 5);
    const before = await playlist(window);
    expect(outline(before).slice(0, 2)).toEqual(['#EXT-X-MEDIA-SEQUENCE:103', '#EXT-X-DISCONTINUITY']);
    const view = new StreamWindowView(window);
    expect(view.segment(FIRST, HIGH, 100)).toBeUndefined();
    expect(view.segment(FIRST, HIGH, 101)).toHaveLength(4);
    appendSegments(window.openEpoch ?? window.startEpoch(3000 as Epoch, ANCHOR), 5, 6);
    expect(outline(await playlist(window)).slice(0, 3)).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:104',
      '#EXT-X-DISCONTINUITY-SEQUENCE:1',
      '#EXT-X-MAP:URI="../2000/720p/init.mp4"',
    ]);
    expect(window.discontinuitySequence).toBe(1);
    appendSegments(window.openEpoch ?? window.startEpoch(3000 as Epoch, ANCHOR), 6, 12);
    expect(view.init(FIRST, HIGH)).toBeUndefined();
    expect(view.init(SECOND, HIGH)).toHaveLength(1);
    expect(window.bytes).toBe(2 * 7 * 32);
  });

  test('lets go early of what left the playlist when there is too much of it', () => {
    const window = makeWindow({ windowSeconds: 10, maxBytesPerRendition: 6 * 32 });
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 20);
    expect(window.bytes).toBe(2 * 6 * 32);
  });

  test('the end closes what is open', async () => {
    const window = makeWindow();
    const epoch = window.startEpoch(FIRST, ANCHOR);
    appendSegments(epoch, 0, 1);
    appendPart(epoch, 0, 1);
    window.markEnded();
    window.markEnded();
    expect(outline(await playlist(window, HIGH))).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:100',
      '#EXT-X-MAP:URI="../1000/720p/init.mp4"',
      '../1000/720p/100.m4s',
      '#EXT-X-GAP',
      '../1000/720p/101.m4s',
      '#EXT-X-ENDLIST',
    ]);
    expect(() => window.startEpoch(SECOND, ANCHOR)).toThrow(RangeError);
  });

  test('a delta update and what it skipped are the whole playlist', async () => {
    const window = makeWindow();
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 20);
    const full = await playlist(window, HIGH, false);
    const delta = await playlist(window, HIGH, true);
    const skipped = Number(/SKIPPED-SEGMENTS=(\d+)/.exec(delta)?.[1]);
    expect(skipped).toBe(14);
    const tail = delta.slice(delta.indexOf('#EXT-X-PROGRAM-DATE-TIME'));
    expect(full.endsWith(tail)).toBe(true);
    expect(
      full
        .slice(0, -tail.length)
        .split('\n')
        .filter((line) => line.startsWith('..')),
    ).toHaveLength(skipped);
  });
});

describe('an heir, whose session was published elsewhere before', () => {
  const carryOn = { nextMsn: 200, discontinuitySequence: 7, programDateTimeEndMs: START - 5000 };

  test('begins with gaps over the time that nobody knows anything of, and a little before it', async () => {
    const window = makeWindow({ carryOn, resumed: true });
    const published: number[] = [];
    window.onSegment(({ msn, gap, rendition }) => gap && rendition === HIGH && published.push(msn));
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 2);
    const text = await playlist(window);
    const gaps = [200, 201, 202, 203, 204].flatMap((msn) => ['#EXT-X-GAP', `../1000/720p/${msn}.m4s`]);
    expect(outline(text).slice(0, 15)).toEqual([
      '#EXT-X-MEDIA-SEQUENCE:200',
      '#EXT-X-DISCONTINUITY-SEQUENCE:7',
      '#EXT-X-DISCONTINUITY',
      '#EXT-X-MAP:URI="../1000/720p/init.mp4"',
      ...gaps,
      '../1000/720p/205.m4s',
    ]);
    const dates = [...text.matchAll(/PROGRAM-DATE-TIME:(.*)/g)].map(([, date]) => Date.parse(date ?? '') - START);
    expect(dates).toEqual([-9000, -7000, -5000, -3333, -1667, 0, 2000]);
    expect(outline(await playlist(window, LOW)).filter((line) => line === '#EXT-X-GAP')).toHaveLength(5);
    // Who records it has the first two from the server before.
    expect(published).toEqual([202, 203, 204]);
    expect([window.nextMsn, window.discontinuitySequence]).toEqual([207, 8]);
  });

  test.each([
    ['nothing is missing', { ...carryOn, programDateTimeEndMs: START }, 200],
    ['nothing was ever published', { ...carryOn, programDateTimeEndMs: 0 }, 200],
    ['an hour is missing: a minute of gaps', { ...carryOn, programDateTimeEndMs: START - 3_600_000 }, 232],
  ])('%s', (_, from, firstMsn) => {
    const window = makeWindow({ carryOn: from, resumed: true });
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 1);
    expect(window.track(HIGH)?.last?.msn).toBe(firstMsn);
    expect(window.track(HIGH)?.last?.programDateTimeMs).toBe(START);
  });

  test('needs none in its later epochs', () => {
    const window = makeWindow({ carryOn: { ...carryOn, programDateTimeEndMs: START }, resumed: true });
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 2);
    const later = { mediaSeconds: 10, programDateTimeMs: START + 20_000 };
    appendSegments(window.startEpoch(SECOND, later), 0, 1);
    expect(window.track(HIGH)?.last?.msn).toBe(202);
  });
});
