/**
 * Rewind and recordings in a real browser on the real server: a viewer goes back during the show and to live again, and
 * the recording of a show with a reconnect plays from its start to its end.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { eventually } from '../one_machine/eventually.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { launchBrowser } from '../watch/launch_browser.ts';

const PATIENCE_MS = 40_000;

let stage: Stage;
let source: TestSource;
let browser: Browser;
let page: Page;
let publisher: PacedPublisher;
const complaints: string[] = [];

beforeAll(async () => {
  [stage, source, browser] = await Promise.all([
    Stage.open(['show'], { HW_GOODBYE_WINDOW: '1' }),
    makeTestSource({ rate: 15, gopSeconds: 2 }),
    launchBrowser(),
  ]);
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('pageerror', (error) => complaints.push(String(error)));
  publisher = await stage.publish('show', { source });
});

afterAll(async () => {
  await browser.close();
  await stage.close();
});

const videoAt = async (): Promise<number> => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0);

/** The picture moves on by more than `seconds`. */
async function plays(seconds = 1.5): Promise<void> {
  const from = await videoAt();
  await page.waitForFunction(
    ([start, wanted]) => Math.abs((document.querySelector('video')?.currentTime ?? 0) - start) > wanted,
    [from, seconds] as const,
  );
}

/** Programme time of the picture, ms. */
const dateMs = async (): Promise<number> =>
  page.evaluate(() => window.headwater.hls?.playingDate?.getTime() ?? Number.NaN);

const recordingOf = async () => (await stage.status('show'))?.recordings[0];

test('a viewer goes back to the start during the show, by keyboard, and to live again', async () => {
  await page.goto(`${stage.origin}/watch/show`);
  await plays();
  const startedAtMs = Date.parse((await stage.status('show'))?.startedAt ?? '');
  await page.locator('[data-seek-row]').waitFor({ state: 'visible' });
  await page.waitForFunction((startMs) => Date.now() - startMs > 18_000, startedAtMs);
  await page.keyboard.press('s');
  await page.waitForFunction(() => window.headwater.hls?.url?.includes('rewind.m3u8') === true);
  await plays();
  expect((await dateMs()) - startedAtMs).toBeLessThan(8000);
  await page.locator('[data-live-text]', { hasText: 'Go to live' }).waitFor();
  expect(await page.locator('[data-seek]').getAttribute('aria-valuetext')).toMatch(/^−0:[0-9]{2}$/);
  await page.keyboard.press('ArrowRight');
  await plays();
  const forwardMs = (await dateMs()) - startedAtMs;
  expect(forwardMs).toBeGreaterThan(9000);
  expect(forwardMs).toBeLessThan(20_000);
  await page.keyboard.press('l');
  await page.waitForFunction(() => window.headwater.hls?.url?.includes('live.m3u8') === true);
  await plays();
  expect(Date.now() - (await dateMs())).toBeLessThan(6000);
});

test('the seek bar takes a viewer back over a reconnect', async () => {
  await publisher.reset();
  publisher = await stage.publish('show', { source });
  await eventually('the new connection gives media', 15_000, () => {
    return stage.log('show').filter(({ msg }) => msg === 'media is out').length === 2;
  });
  await plays(4);
  const seek = page.locator('[data-seek]');
  await seek.focus();
  await page.keyboard.press('Home');
  await page.waitForFunction(() => window.headwater.hls?.url?.includes('rewind.m3u8') === true);
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 99) < 6);
  await plays();
  expect(await page.evaluate(() => document.activeElement?.hasAttribute('data-seek'))).toBe(true);
  const discontinuities = await page.evaluate(() => window.headwater.hls?.latestLevelDetails?.endCC ?? 0);
  expect(discontinuities).toBeGreaterThan(0);
});

test('a reload of the rewind playlist after the first is less than 10 KB', async () => {
  const reply = await fetch(`${stage.origin}/show/rewind/180p.m3u8?_HLS_skip=YES`);
  const text = await reply.text();
  expect(text).toContain('#EXT-X-SKIP:SKIPPED-SEGMENTS=');
  expect(text.length).toBeLessThan(10_000);
});

test('the recording plays during the show, from its start', async () => {
  const recording = await recordingOf();
  await page.goto(`${stage.origin}/watch/show?vod=${recording?.sessionId}`);
  await plays();
  expect(await videoAt()).toBeLessThan(10);
  expect(await page.locator('[data-fact="state"]').textContent()).toBe('Recording');
});

test('the recording plays to its end after the show, over the reconnect, and seeks', async () => {
  await publisher.sayGoodbye();
  const recording = await recordingOf();
  const path = recording?.url.replace('.m3u8', '/180p.m3u8') ?? '';
  const text = await eventually('the recording is final', 20_000, async () => {
    const reply = await (await fetch(`${stage.origin}${path}`)).text();
    return reply.includes('#EXT-X-ENDLIST') ? reply : undefined;
  });
  expect(text.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(1);
  expect(text).not.toContain('#EXT-X-GAP');
  const duration = [...text.matchAll(/#EXTINF:([0-9.]+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  await page.goto(`${stage.origin}/watch/show?vod=${recording?.sessionId}`);
  await plays();
  // The browser may show a player the playlist of a moment ago once more: it is reloaded as long as it has no end.
  await expect
    .poll(() => page.evaluate(() => document.querySelector('video')?.duration), { timeout: 20_000 })
    .toBeCloseTo(duration, 0);
  await page.evaluate(() => {
    const video = document.querySelector('video');
    if (video !== null) video.playbackRate = 8;
  });
  await page.waitForFunction(() => document.querySelector('video')?.ended === true);
  await page.locator('[data-seek]').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('k');
  await page.waitForFunction(() => {
    const video = document.querySelector('video');
    return video !== null && !video.ended && video.currentTime > 0.5 && video.currentTime < 15;
  });
  expect(complaints).toEqual([]);
});

test('a recording that is not there is said to be so', async () => {
  await page.goto(`${stage.origin}/watch/show?vod=01JBX0000000000000000000AA`);
  const title = page.locator('[data-veil-title]', { hasText: 'There is no such recording' });
  await title.waitFor({ state: 'visible' });
  expect(await title.isVisible()).toBe(true);
});
