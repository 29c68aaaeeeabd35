import * as HLS from 'hls-parser';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import type { PlaylistReply } from '../serve/stream_view.ts';
import { SegmentWindow } from './segment_window.ts';
import type { PublishedSegment, SegmentWindowOptions } from './segment_window.ts';
import { StreamWindowView } from './stream_window_view.ts';
import type { WindowEpoch } from './window_epoch.ts';

HLS.setOptions({ strictMode: true });

const LOW = '360p' as RenditionName;
const HIGH = '720p' as RenditionName;
const FIRST = 1000 as Epoch;
const SECOND = 2000 as Epoch;
const NEVER = new AbortController().signal;
const START = Date.UTC(2026, 10, 22, 18);
const ANCHOR = { mediaSeconds: 10, programDateTimeMs: START };

function makeWindow(options: Partial<SegmentWindowOptions> = {}): SegmentWindow {
  return new SegmentWindow({
    streamId: 'demo' as StreamId,
    renditions: [LOW, HIGH],
    targetDuration: 2,
    partTarget: 0.5,
    carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    resumed: false,
    ...options,
  });
}

/** Appends one part of half a second to segment `segment` of one rendition. */
function appendPart(epoch: WindowEpoch, rendition: number, segment: number, independent = true): void {
  const segmentStart = (10 + 2 * segment) * 90_000;
  const data = Buffer.from(`${epoch.epoch} ${rendition} ${segment % 10}`);
  epoch.appendPart({ rendition, segment, segmentStart, hold: false }, { duration: 45_000, independent, data });
}

function appendSegment(epoch: WindowEpoch, rendition: number, segment: number): void {
  for (let part = 0; part < 4; part += 1) appendPart(epoch, rendition, segment, part === 0);
  epoch.endSegment(rendition);
}

function appendSegments(epoch: WindowEpoch, from: number, to: number): void {
  for (const rendition of [0, 1]) epoch.setInit(rendition, Buffer.from('init'));
  for (let segment = from; segment < to; segment += 1)
    for (const rendition of [0, 1]) appendSegment(epoch, rendition, segment);
}

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

/** The reply, or undefined while it is waited for. */
async function peek<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  return Promise.race([promise, vi.advanceTimersByTimeAsync(0).then(() => undefined)]);
}

function textOf(reply: PlaylistReply | undefined): string {
  return reply?.outcome === 'playlist' ? reply.text : '';
}

function setUp(): { window: SegmentWindow; epoch: WindowEpoch; view: StreamWindowView } {
  const window = makeWindow();
  const epoch = window.startEpoch(FIRST, ANCHOR);
  appendSegments(epoch, 0, 2);
  return { window, epoch, view: new StreamWindowView(window) };
}

describe('StreamWindowView', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('waits for the first whole segment', async () => {
    const window = makeWindow();
    const view = new StreamWindowView(window);
    const playable = view.whenPlayable(NEVER);
    const reply = view.mediaPlaylist(HIGH, { skip: false }, NEVER);
    const epoch = window.startEpoch(FIRST, ANCHOR);
    appendPart(epoch, 0, 0);
    appendPart(epoch, 1, 0);
    expect(await peek(reply)).toBeUndefined();
    epoch.endSegment(1);
    expect(textOf(await reply)).toContain('1000/720p/100.m4s');
    expect(await peek(playable)).toBeUndefined();
    epoch.endSegment(0);
    expect(await playable).toBe(true);
  });

  test('says not found when no segment comes in three target durations', async () => {
    const view = new StreamWindowView(makeWindow());
    const reply = view.mediaPlaylist(HIGH, { skip: false }, NEVER);
    await vi.advanceTimersByTimeAsync(6000);
    expect(await reply).toEqual({ outcome: 'not-found' });
    expect(await view.mediaPlaylist('1080p' as RenditionName, { skip: false }, NEVER)).toEqual({
      outcome: 'not-found',
    });
  });

  test('answers what is there at once, and tells where it stands', async () => {
    const { epoch, view } = setUp();
    appendPart(epoch, 1, 2);
    const reply = await peek(view.mediaPlaylist(HIGH, { msn: 101, skip: false }, NEVER));
    expect(reply).toMatchObject({
      outcome: 'playlist',
      state: 'live',
      targetDuration: 2,
      epoch: FIRST,
      position: { msn: 102, parts: 1 },
    });
  });

  test('a segment is waited for until it is whole, a part until it is there', async () => {
    const { epoch, view } = setUp();
    const segment = view.mediaPlaylist(HIGH, { msn: 102, skip: false }, NEVER);
    const part = view.mediaPlaylist(HIGH, { msn: 102, part: 0, skip: false }, NEVER);
    expect(await peek(part)).toBeUndefined();
    appendPart(epoch, 1, 2);
    expect(textOf(await part)).toContain('102.0.m4s');
    expect(await peek(segment)).toBeUndefined();
    epoch.endSegment(1);
    expect(textOf(await segment)).toContain('720p/102.m4s');
  });

  test('a part beyond a segment that closed is the first one of the next', async () => {
    const { epoch, view } = setUp();
    appendPart(epoch, 1, 2);
    const reply = view.mediaPlaylist(HIGH, { msn: 102, part: 2, skip: false }, NEVER);
    epoch.endSegment(1);
    expect(await peek(reply)).toBeUndefined();
    appendPart(epoch, 1, 3);
    expect(textOf(await reply)).toContain('103.0.m4s');
  });

  test('more than two segments ahead, or beyond the advance part limit, is too far', async () => {
    const { epoch, view } = setUp();
    const ask = async (msn: number, part?: number): Promise<unknown> =>
      peek(view.mediaPlaylist(HIGH, { msn, ...(part === undefined ? {} : { part }), skip: false }, NEVER));
    expect(await ask(104)).toEqual({ outcome: 'too-far' });
    expect(await ask(103)).toBeUndefined();
    expect(await ask(102, 6)).toEqual({ outcome: 'too-far' });
    expect(await ask(102, 5)).toBeUndefined();
    appendPart(epoch, 1, 2);
    expect(await ask(102, 6)).toBeUndefined();
    expect(await ask(102, 7)).toEqual({ outcome: 'too-far' });
  });

  test('a wait ends after three target durations, on abort, and at the end of the session', async () => {
    const { window, view } = setUp();
    const timed = view.mediaPlaylist(HIGH, { msn: 102, skip: false }, NEVER);
    await vi.advanceTimersByTimeAsync(6000);
    expect(textOf(await timed)).toContain('101.m4s');
    const aborting = new AbortController();
    const aborted = view.mediaPlaylist(HIGH, { msn: 102, skip: false }, aborting.signal);
    aborting.abort();
    expect((await aborted).outcome).toBe('playlist');
    const ended = view.mediaPlaylist(HIGH, { msn: 102, skip: false }, NEVER);
    window.markEnded();
    expect(textOf(await ended)).toContain('ENDLIST');
    expect(textOf(await view.mediaPlaylist(HIGH, { msn: 999, skip: false }, NEVER))).toContain('ENDLIST');
    expect(window.waiters.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('waits for the announced part and gives the same bytes later', async () => {
    const { epoch, view } = setUp();
    const hinted = view.part(FIRST, HIGH, 102, 0, NEVER);
    expect(await peek(hinted)).toBeUndefined();
    appendPart(epoch, 1, 2);
    expect(await hinted).toEqual([Buffer.from('1000 1 2')]);
    expect(await view.part(FIRST, HIGH, 102, 0, NEVER)).toEqual([Buffer.from('1000 1 2')]);
    const following = view.part(FIRST, HIGH, 103, 0, NEVER);
    epoch.endSegment(1);
    expect(await peek(following)).toBeUndefined();
    appendPart(epoch, 1, 3);
    expect(await following).toEqual([Buffer.from('1000 1 3')]);
  });

  test('a part that will never come is not waited for', async () => {
    const { window, epoch, view } = setUp();
    const ask = async (which: Epoch, msn: number, part: number): Promise<unknown> =>
      peek(view.part(which, HIGH, msn, part, NEVER).then((data) => data ?? 'none'));
    expect(await ask(FIRST, 101, 4)).toBe('none');
    expect(await ask(FIRST, 104, 0)).toBe('none');
    expect(await ask(FIRST, 102, 50)).toBe('none');
    expect(await ask(SECOND, 102, 0)).toBe('none');
    appendPart(epoch, 1, 2);
    const beyond = view.part(FIRST, HIGH, 102, 1, NEVER);
    epoch.endSegment(1);
    expect(await beyond).toBeUndefined();
    const closing = view.part(FIRST, HIGH, 103, 0, NEVER);
    window.startEpoch(SECOND, ANCHOR);
    expect(await closing).toBeUndefined();
    expect(await ask(FIRST, 103, 0)).toBe('none');
  });

  test('renders one state once', async () => {
    const { epoch, view } = setUp();
    const first = await view.mediaPlaylist(HIGH, { skip: false }, NEVER);
    const second = await view.mediaPlaylist(HIGH, { skip: false }, NEVER);
    expect(textOf(first)).toBe(textOf(second));
    appendPart(epoch, 0, 2);
    expect(textOf(await view.mediaPlaylist(HIGH, { skip: false }, NEVER))).toContain('LAST-MSN=102,LAST-PART=0');
  });

  test('too many waiters are answered at once', async () => {
    const window = makeWindow({ maxWaiters: 1 });
    appendSegments(window.startEpoch(FIRST, ANCHOR), 0, 1);
    const view = new StreamWindowView(window);
    const waiting = view.mediaPlaylist(HIGH, { msn: 101, skip: false }, NEVER);
    expect((await peek(view.mediaPlaylist(HIGH, { msn: 101, skip: false }, NEVER)))?.outcome).toBe('playlist');
    window.markEnded();
    await waiting;
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
