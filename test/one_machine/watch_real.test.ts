/**
 * The watch page in a real browser on the real server: it plays by itself, waits for what is not there yet, and the
 * clock of its picture hardly stands still when an FFmpeg dies or a publisher is away.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../watch/launch_browser.ts';
import { eventually } from './eventually.ts';
import type { PacedPublisher } from './paced_publisher.ts';
import { Stage } from './stage.ts';
import { makeTestSource } from './test_source.ts';
import type { TestSource } from './test_source.ts';

declare global {
  interface Window {
    /** Longest time that the picture's clock stood still since it was last set to 0, ms. */
    longestStillMs: number;
  }
}

/** FAULTS row 1: the longest stall when an FFmpeg is killed, ms. */
const KILLED_MS = 8000;
/** FAULTS row 12: the longest stall beyond a publisher's absence, ms. */
const BEYOND_ABSENCE_MS = 3000;
const ABSENCE_MS = 3000;
const PATIENCE_MS = 30_000;

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
  await page.addInitScript(watchTheClock);
});

afterAll(async () => {
  await browser.close();
  await stage.close();
});

/** Runs in the page. */
function watchTheClock(): void {
  let position = 0;
  let movedAtMs = performance.now();
  window.longestStillMs = 0;
  setInterval(() => {
    const now = performance.now();
    const current = document.querySelector('video')?.currentTime ?? 0;
    window.longestStillMs = Math.max(window.longestStillMs, now - movedAtMs);
    if (current === position) return;
    position = current;
    movedAtMs = now;
  }, 50);
}

/** The picture moves on by more than `seconds`. */
async function plays(seconds = 1.5): Promise<void> {
  const from = await page.evaluate(() => document.querySelector('video')?.currentTime ?? 0);
  await page.waitForFunction(
    ([start, wanted]) => Math.abs((document.querySelector('video')?.currentTime ?? 0) - start) > wanted,
    [from, seconds] as const,
  );
}

async function longestStillMs(): Promise<number> {
  const longest = await page.evaluate(() => window.longestStillMs);
  await page.evaluate(() => {
    window.longestStillMs = 0;
  });
  return Math.round(longest);
}

async function shows(text: string): Promise<void> {
  await page.locator('[data-veil-title]', { hasText: text }).waitFor({ state: 'visible' });
}

test('a page that was opened before the stream starts by itself', async () => {
  await page.goto(`${stage.origin}/watch/show`);
  await shows('Waiting for the stream');
  publisher = await stage.publish('show', { source });
  await plays();
  expect(await page.locator('[data-veil]').isVisible()).toBe(false);
});

test('it plays on when the FFmpeg is killed', async ({ annotate }) => {
  await longestStillMs();
  process.kill(await stage.encoderOf('show'), 'SIGKILL');
  await eventually('another FFmpeg gives media', 15_000, () => countOf('media is out') === 2);
  await plays(6);
  const still = await longestStillMs();
  await annotate(`FFmpeg killed: the clock stood still for ${still} ms at most`);
  expect(still).toBeLessThan(KILLED_MS);
});

test('it plays on when the publisher is away for 3 s', async ({ annotate }) => {
  await longestStillMs();
  await publisher.reset();
  await new Promise((resolve) => setTimeout(resolve, ABSENCE_MS));
  publisher = await stage.publish('show', { source });
  await eventually('the new connection gives media', 15_000, () => countOf('media is out') === 3);
  await plays(6);
  const still = await longestStillMs();
  await annotate(`publisher away for ${ABSENCE_MS} ms: the clock stood still for ${still} ms at most`);
  expect(still).toBeLessThan(ABSENCE_MS + BEYOND_ABSENCE_MS);
});

test('it says that the stream has ended, and starts again with the next session', async () => {
  await publisher.sayGoodbye();
  await shows('The stream has ended');
  publisher = await stage.publish('show', { source });
  await plays();
  expect(await page.locator('[data-veil]').isVisible()).toBe(false);
  expect(complaints).toEqual([]);
});

function countOf(message: string): number {
  return stage.log('show').filter(({ msg }) => msg === message).length;
}
