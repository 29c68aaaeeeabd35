/**
 * The watch page in a real browser plays a real stream from each of the edge's three entries, and through nginx and
 * Varnish in front of one.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { eventually } from '../one_machine/eventually.ts';
import type { EdgeProcess, Runtime } from '../edge/edge_process.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { launchBrowser } from '../watch/launch_browser.ts';
import { startCache } from './cache_process.ts';
import type { CacheProgram } from './cache_process.ts';
import { MEDIA_TOKEN, openRealStream } from './real_stream.ts';
import type { RealStream } from './real_stream.ts';

const SECONDS = 5;
const SETTLE = 2;

interface Watched {
  readonly complaints: readonly string[];
  readonly playedSeconds: number;
  readonly stalls: number;
  /** s */
  readonly latency: number;
}

const PLAYED: Watched = {
  complaints: [],
  playedSeconds: expect.closeTo(SECONDS, 0) as number,
  stalls: 0,
  latency: expect.closeTo(3, -1) as number,
};

describe('a real browser', () => {
  let stage: Stage;
  let stream: RealStream;
  let browser: Browser;

  beforeAll(async () => {
    const [opened, source] = await Promise.all([
      Stage.open(['show'], { HW_MEDIA_TOKEN: MEDIA_TOKEN }),
      makeTestSource({ rate: 15, gopSeconds: 2 }),
    ]);
    stage = opened;
    await stage.publish('show', { source });
    await eventually(
      'the stream is live',
      20_000,
      async () => (await fetch(`${stage.origin}/show/live.m3u8`)).status === 200,
    );
    stream = await openRealStream(stage.machine, 'show');
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await stream?.close();
    await stage?.close();
  });

  /** Watches for a while, once the player has found its distance from live. */
  async function watchFrom(origin: string, query = ''): Promise<Watched> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('response', (reply) => {
      if (reply.status() >= 400) complaints.push(`${reply.status()} ${new URL(reply.url()).pathname}`);
    });
    const state = async (): Promise<{ readonly time: number; readonly stalls: number; readonly latency: number }> =>
      page.evaluate(() => {
        const { latency, stalls } = window.headwater.stats();
        return { time: window.headwater.video.currentTime, stalls: stalls.count, latency: latency ?? Number.NaN };
      });
    try {
      await page.goto(`${origin}/watch/show${query}`);
      await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.5, null, {
        timeout: 20_000,
      });
      await page.waitForTimeout(SETTLE * 1000);
      const before = await state();
      await page.waitForTimeout(SECONDS * 1000);
      const after = await state();
      return {
        complaints,
        playedSeconds: after.time - before.time,
        stalls: after.stalls - before.stalls,
        latency: after.latency,
      };
    } finally {
      await page.close();
    }
  }

  const metricsOf = async (edge: EdgeProcess): Promise<string> =>
    (await fetch(`http://127.0.0.1:${edge.metricsPort}/metrics`)).text();

  it.each<Runtime>(['node', 'deno', 'worker'])('plays from the entry for %s', { timeout: 60_000 }, async (runtime) => {
    const edge = await stream.startEdge(runtime);
    try {
      expect(await watchFrom(edge.url)).toEqual(PLAYED);
      if (edge.metricsPort === undefined) return;
      // What the player said of itself on the way (CMCD).
      await eventually('the viewer is measured', 20_000, async () =>
        /^headwater_viewer_startup_seconds_count\{stream="show"\} 1$/m.test(await metricsOf(edge)),
      );
      const metrics = await metricsOf(edge);
      for (const name of ['buffer', 'latency']) {
        const count = new RegExp(`^headwater_viewer_${name}_seconds_count\\{stream="show"\\} (\\d+)$`, 'm').exec(
          metrics,
        );
        expect([name, Number(count?.[1])]).toEqual([name, expect.any(Number)]);
        expect(Number(count?.[1])).toBeGreaterThan(3);
      }
    } finally {
      await edge.stop();
    }
  });

  it.for<CacheProgram>(['nginx', 'varnish'])('plays through %s', { timeout: 90_000 }, async (program, context) => {
    needsFull(context);
    const edge = await stream.startEdge('node');
    const cache = await startCache(program, edge.port);
    try {
      expect(await watchFrom(cache.url)).toEqual(PLAYED);
      // The same stream with a token that its playlists hand on.
      stream.playback = 'signed';
      await eventually('it is shut', 20_000, async () => (await fetch(`${cache.url}/show/status.json`)).status === 401);
      expect(await watchFrom(cache.url, `?token=${await stream.token()}`)).toEqual(PLAYED);
    } finally {
      stream.playback = 'public';
      await cache.stop();
      await edge.stop();
    }
  });
});
