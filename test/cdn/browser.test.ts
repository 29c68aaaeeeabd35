/**
 * The watch page in a real browser plays a real stream from each of the edge's three entries, and through nginx and
 * Varnish in front of one.
 */
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../edge/edge_bench.ts';
import type { EdgeProcess, Runtime } from '../edge/edge_process.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { findOnPath } from '../watch/find_on_path.ts';
import { startCache } from './cache_process.ts';
import type { CacheProgram } from './cache_process.ts';
import { MEDIA_TOKEN, openRealStream } from './real_stream.ts';
import type { RealStream } from './real_stream.ts';

const SECONDS = 5;
const SETTLE = 2;

describe('a real browser', () => {
  let stage: Stage;
  let stream: RealStream;
  let browser: Browser;

  beforeAll(async () => {
    const [opened, source, executablePath] = await Promise.all([
      Stage.open(['show'], { HW_MEDIA_TOKEN: MEDIA_TOKEN }),
      makeTestSource({ rate: 15, gopSeconds: 2 }),
      findOnPath(['chromium', 'chromium-browser', 'google-chrome']),
    ]);
    stage = opened;
    await stage.publish('show', { source });
    await eventually('the stream is live', async () => (await fetch(`${stage.origin}/show/live.m3u8`)).status === 200);
    stream = await openRealStream(stage.machine, 'show');
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await stream?.close();
    await stage?.close();
  });

  /** Watches for a while; throws on any error of the page and on a stall. */
  async function playsFrom(origin: string): Promise<void> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('response', (reply) => {
      if (reply.status() >= 400) complaints.push(`${reply.status()} ${new URL(reply.url()).pathname}`);
    });
    try {
      await page.goto(`${origin}/watch/show`);
      await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.5, null, {
        timeout: 20_000,
      });
      // A player finds its distance from live first.
      await page.waitForTimeout(SETTLE * 1000);
      const before = await page.evaluate(() => window.headwater.video.currentTime);
      const stalls = await page.evaluate(() => window.headwater.stats().stalls.count);
      await page.waitForTimeout(SECONDS * 1000);
      const played = (await page.evaluate(() => window.headwater.video.currentTime)) - before;
      const stats = await page.evaluate(() => window.headwater.stats());
      expect(complaints).toEqual([]);
      expect(played).toBeGreaterThan(SECONDS * 0.9);
      expect(stats.stalls.count - stalls).toBe(0);
      expect(stats.latency).toBeLessThan(6);
    } finally {
      await page.close();
    }
  }

  const metricsOf = async (edge: EdgeProcess): Promise<string> =>
    (await fetch(`http://127.0.0.1:${edge.metricsPort}/metrics`)).text();

  it.each<Runtime>(['node', 'deno', 'worker'])('plays from the entry for %s', { timeout: 60_000 }, async (runtime) => {
    const edge = await stream.startEdge(runtime);
    try {
      await playsFrom(edge.url);
      if (edge.metricsPort === undefined) return;
      // What the player said of itself on the way (CMCD).
      await eventually('the viewer is measured', async () =>
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

  it.for<CacheProgram>(['nginx', 'varnish'])('plays through %s', { timeout: 60_000 }, async (program, context) => {
    if (process.env.HW_TEST_FULL !== '1') context.skip('needs script/test --full');
    const edge = await stream.startEdge('node');
    const cache = await startCache(program, edge.port);
    try {
      await playsFrom(cache.url);
    } finally {
      await cache.stop();
      await edge.stop();
    }
  });
});
