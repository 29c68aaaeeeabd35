import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { PlaylistReply } from '../serve/stream_view.ts';
import type { SegmentWindow } from './segment_window.ts';
import { StreamWindowView } from './stream_window_view.ts';
import { ANCHOR, FIRST, HIGH, NEVER, SECOND, appendPart, appendSegments, makeWindow } from './testing/filled_window.ts';
import type { WindowEpoch } from './window_epoch.ts';

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
