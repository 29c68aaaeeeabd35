/**
 * A running stream whose FFmpeg gets too little CPU: the most expensive rendition is left out, EXT-X-GAP stands at its
 * media sequence numbers, and the others are at the pace of the clock again.
 */
import { afterEach, expect, test } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import { eventually } from './eventually.ts';
import { Stage } from './stage.ts';
import { makeTestSource } from './test_source.ts';

const STREAM = 'heavy';
/** Of each period FFmpeg runs for a sixth. */
const PERIOD_MS = 120;
const RUNS_MS = 20;
const SHED_WITHIN_MS = 60_000;
/** A rendition comes back after a minute of calm, when the machine has room. */
const BACK_WITHIN_MS = 150_000;

const cleanUp: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const clean of cleanUp.splice(0).toReversed()) await clean();
});

/** Takes CPU from a process until it ends. */
function throttle(pid: number): void {
  let timer: NodeJS.Timeout | undefined;
  const send = (signal: NodeJS.Signals): boolean => {
    try {
      return process.kill(pid, signal);
    } catch {
      // It has ended, as it should.
      return false;
    }
  };
  const stop = (): void => {
    if (send('SIGSTOP')) timer = setTimeout(run, PERIOD_MS - RUNS_MS);
  };
  const run = (): void => {
    if (send('SIGCONT')) timer = setTimeout(stop, RUNS_MS);
  };
  stop();
  cleanUp.push(() => {
    clearTimeout(timer);
    send('SIGCONT');
  });
}

test('a stream that falls behind leaves out its most expensive rendition, and its viewers play on', async () => {
  const stage = await Stage.open([STREAM], {});
  cleanUp.push(() => stage.close());
  // Key frames that lie apart too far: nothing can be copied.
  await stage.publish(STREAM, { source: await makeTestSource({ size: '854x480', gopSeconds: 5 }) });
  const kept = stage.follow(STREAM, '360p');
  const shed = stage.follow(STREAM, '480p');
  await Promise.all([kept, shed].map((viewer) => viewer.waitForSegments(2, 40_000)));
  throttle(await stage.encoderOf(STREAM));
  const line = await eventually('a rendition is left out', SHED_WITHIN_MS, () =>
    stage.log(STREAM).find(({ msg }) => msg.includes('falls behind: a rendition is left out')),
  );
  expect(line).toMatchObject({ rendition: '480p' });
  await shed.waitFor('three gaps', 40_000, ({ segments }) => segments.filter(({ gap }) => gap).length >= 3);
  await kept.waitForSegments(3, 20_000);
  // The encoder that makes less has caught up.
  expect(Date.now() - (kept.segments.at(-1)?.programDateTimeMs ?? 0)).toBeLessThan(6000);
  const gaps = new Set(shed.segments.flatMap(({ msn, gap }) => (gap ? [msn] : [])));
  const beside = kept.segments.filter(({ msn }) => gaps.has(msn));
  expect(beside.length).toBeGreaterThanOrEqual(3);
  expect(beside.filter(({ gap }) => gap)).toEqual([]);
  expect((await stage.status(STREAM))?.state).toBe('live');
  if (isFull) {
    const last = Math.max(...gaps);
    await shed.waitFor('the rendition is made again', BACK_WITHIN_MS, ({ segments }) =>
      segments.some(({ msn, gap, uri }) => msn > last && !gap && uri !== undefined),
    );
  }
  expect(await kept.verdict()).toEqual([]);
  expect(await shed.verdict()).toEqual([]);
}, 400_000);
