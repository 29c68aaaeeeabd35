/**
 * The watch page in a real browser, on a stream that goes live, breaks off, comes back, ends and begins again.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type Hls from 'hls.js';
import { Hono } from 'hono';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadWatchAssets } from '../../origin-edge/entry/watch_assets.ts';
import { watchRoutes } from '../../origin-edge/src/watch/watch_routes.ts';
import { launchBrowser } from './launch_browser.ts';
import { LiveFixture, serveFixture } from './live_fixture.ts';
import type { FixtureServer } from './live_fixture.ts';

/** What the page shows of itself (`window.headwater`). */
interface Stats {
  readonly state: string;
  readonly latency: number | undefined;
  readonly rendition: string | undefined;
  readonly chosen: string;
  readonly stalls: { readonly count: number; readonly totalMs: number };
}
interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}
declare global {
  interface Window {
    Hls: typeof Hls;
    headwater: { readonly video: HTMLVideoElement; readonly hls: Hls | undefined; readonly stats: () => Stats };
    axe: { run: () => Promise<{ readonly violations: readonly Violation[] }> };
  }
}

const DESK: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

let live: LiveFixture;
let server: FixtureServer;
let browser: Browser;
let axeSource: string;
let page: Page;
/** Console errors, page errors, policy violations, requests that left the origin. */
let complaints: string[];

beforeAll(async () => {
  const app = new Hono();
  watchRoutes(app, { assets: await loadWatchAssets() });
  live = await LiveFixture.make();
  server = await serveFixture(live, (request) => app.fetch(request));
  browser = await launchBrowser();
  axeSource = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

beforeEach(() => {
  live.forget();
  live.broken = false;
  complaints = [];
});

afterEach(async () => {
  await page.context().close();
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
});

/** What a browser does that wants a gesture before sound; the automation's own calls would count as gestures. */
function refuseSound(): void {
  HTMLMediaElement.prototype.play = new Proxy<() => Promise<void>>(Reflect.get(HTMLMediaElement.prototype, 'play'), {
    apply: (play, video: HTMLMediaElement) =>
      video.muted ? play.call(video) : Promise.reject(new DOMException('a gesture first', 'NotAllowedError')),
  });
}

async function open(path: string, options: BrowserContextOptions = DESK, init?: () => void): Promise<void> {
  const context = await browser.newContext(options);
  page = await context.newPage();
  if (init !== undefined) await page.addInitScript(init);
  page.on('request', (request) => {
    if (!request.url().startsWith(`${server.origin}/`) && !/^(?:blob|data):/.test(request.url())) {
      complaints.push(`left the origin: ${request.url()}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // Chromium itself reports a status that is not there yet, and a part that the interrupted encoder never made.
    const expected = /\/demo\/(?:status\.json|[0-9]+\/[0-9]+p\/[0-9]+\.[0-9]\.m4s|poster\.jpg)$/;
    const failed = /status of 503/.test(message.text());
    if (message.type() === 'error' && !failed && !expected.test(message.location().url))
      complaints.push(message.text());
  });
  await page.goto(`${server.origin}${path}`);
}

const stats = async (): Promise<Stats> => page.evaluate(() => window.headwater.stats());
const position = async (): Promise<number> => page.evaluate(() => window.headwater.video.currentTime);

/** The picture moves on by more than a second and a half. */
async function plays(): Promise<void> {
  await page.waitForFunction(() => window.headwater.stats().state === 'live' && window.headwater.video.readyState > 2);
  const from = await position();
  await page.waitForFunction((start) => Math.abs(window.headwater.video.currentTime - start) > 1.5, from);
}

async function shows(text: string): Promise<void> {
  await page.locator('[data-veil-title]', { hasText: text }).waitFor({ state: 'visible' });
}

/** @returns the ids of the rules that axe finds broken, with the first element of each */
async function axe(): Promise<readonly string[]> {
  // By the debugger's channel: the page's policy forbids script text inside the page.
  const client = await page.context().newCDPSession(page);
  await client.send('Runtime.evaluate', { expression: `${axeSource}; 0` });
  const violations = await page.evaluate(async () => (await window.axe.run()).violations);
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''} ${nodes[0]?.failureSummary ?? ''}`);
}

describe('the watch page', () => {
  it('waits, starts by itself without sound where the browser wants a gesture first, and says so', async () => {
    await open('/watch/demo', DESK, refuseSound);
    await shows('Waiting for the stream');
    expect(await axe()).toEqual([]);
    live.title = 'The <first> show';
    live.goLive();
    await plays();
    expect(await page.locator('h1').textContent()).toBe('The <first> show');
    expect(await page.locator('[data-announce]').textContent()).toBe('The stream is live.');
    expect(await page.evaluate(() => window.headwater.video.muted)).toBe(true);
    expect(await axe()).toEqual([]);
    await page.locator('[data-unmute]').click();
    expect(await page.evaluate(() => window.headwater.video.muted)).toBe(false);
    await plays();
    const { latency, rendition } = await stats();
    expect(latency).toBeGreaterThan(0.5);
    expect(latency).toBeLessThan(4);
    await page.locator('[data-fact="latency"]', { hasText: /^[0-9]\.[0-9] s$/ }).waitFor();
    expect(await page.locator('[data-fact="rendition"]').textContent()).toBe(rendition);
  });

  it('stands by while the publisher is away, carries on, ends, and starts with the next session', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    live.interrupt();
    await shows('Reconnecting…');
    expect(await axe()).toEqual([]);
    await page.waitForFunction(() => window.headwater.stats().stalls.totalMs > 1500);
    live.resume();
    await plays();
    // A part that was never made costs its rendition a moment, not the rest of the session.
    await page.waitForFunction(() => window.headwater.stats().rendition === '360p');
    expect((await stats()).stalls.totalMs).toBeGreaterThan(1500);
    await page.locator('[data-fact="stalls"]', { hasText: /^[0-9.]+ s/ }).waitFor();
    live.end();
    await shows('The stream has ended');
    expect(await page.locator('[data-announce]').textContent()).toMatch(/has ended/);
    expect(await axe()).toEqual([]);
    live.forget();
    live.goLive();
    await plays();
    expect(await page.locator('[data-veil]').isVisible()).toBe(false);
  });

  it('changes the rendition from the quality menu, by keyboard alone', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    await page.locator('[data-quality]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.headwater.stats().rendition === '180p');
    expect(await page.locator('[data-quality]').getAttribute('aria-label')).toBe('Quality: 180p');
    await page.keyboard.press('Enter');
    expect(await axe()).toEqual([]);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.headwater.stats().rendition === '360p');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Home');
    await page.keyboard.press('Escape');
    expect(await page.locator('[role=menu]').isVisible()).toBe(false);
    expect(await page.evaluate(() => document.activeElement?.hasAttribute('data-quality'))).toBe(true);
    await plays();
  });

  it('has every control in the tab order, and keys for what is used most', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    const reached = new Set<string>();
    for (let press = 0; press < 20; press += 1) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const data = Object.keys((document.activeElement as HTMLElement | null)?.dataset ?? {});
        return data[0] ?? document.activeElement?.tagName ?? '';
      });
      reached.add(name);
    }
    for (const name of ['play', 'mute', 'volume', 'live', 'quality', 'pip', 'full', 'copy']) {
      expect(reached).toContain(name);
    }
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press('m');
    expect(await page.evaluate(() => window.headwater.video.muted)).toBe(true);
    await page.keyboard.press('k');
    await page.waitForFunction(() => window.headwater.video.paused);
    await page.locator('[data-live-text]', { hasText: 'Go to live' }).waitFor();
    await page.keyboard.press('Space');
    await plays();
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement !== null);
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement === null);
    await page.keyboard.press('l');
    await plays();
  });

  it('goes back to the live edge after a pause', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    const paused = await position();
    await page.evaluate(() => window.headwater.video.pause());
    await page.locator('[data-latency]', { hasText: /^[5-9]\./ }).waitFor();
    await page.locator('[data-live]').click();
    await plays();
    expect(await position()).toBeGreaterThan(paused + 4);
  });
});

/** @returns whether the same hls.js instance carries on */
async function decoderFails(): Promise<boolean> {
  return page.evaluate(async () => {
    const before = window.headwater.hls;
    const { Events, ErrorTypes, ErrorDetails } = window.Hls;
    before?.trigger(Events.ERROR, {
      type: ErrorTypes.MEDIA_ERROR,
      details: ErrorDetails.BUFFER_APPEND_ERROR,
      fatal: true,
      error: new Error('made by the test'),
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    return before === window.headwater.hls;
  });
}

describe('what breaks', () => {
  it('is asked for again when the origin answers errors for a while', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    live.broken = true;
    await page.waitForFunction(() => window.headwater.stats().stalls.totalMs > 3000);
    expect((await stats()).state).toBe('live');
    live.broken = false;
    await plays();
  });

  it('is made anew when the decoder gives up, at the second time with a fresh player', async () => {
    live.goLive();
    await open('/watch/demo');
    await plays();
    expect(await decoderFails()).toBe(true);
    await plays();
    expect(await decoderFails()).toBe(false);
    await plays();
  });
});

describe('the other pages', () => {
  it('/watch leads to a stream and shows its embed code', async () => {
    await open('/watch');
    expect(await axe()).toEqual([]);
    await page.getByLabel('Stream name').fill('demo_2');
    expect(await page.locator('[data-snippet]').textContent()).toContain(`src="${server.origin}/embed/demo_2"`);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.locator('[data-copy-status]', { hasText: 'embed code' }).waitFor({ state: 'attached' });
    await page.getByLabel('Stream name').fill('not a name');
    await page.getByRole('button', { name: 'Watch' }).click();
    await page.getByRole('alert').waitFor();
    expect(await axe()).toEqual([]);
    await page.getByLabel('Stream name').fill('demo');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${server.origin}/watch/demo`);
    await shows('Waiting for the stream');
  });

  it('/embed plays alone and ends', async () => {
    await open('/embed/demo', { viewport: { width: 640, height: 360 }, colorScheme: 'dark' });
    await shows('Waiting for the stream');
    expect(await axe()).toEqual([]);
    live.goLive();
    await plays();
    expect(await axe()).toEqual([]);
    live.end();
    await shows('The stream has ended');
    expect(await axe()).toEqual([]);
  });

  it.each(['/watch', '/watch/demo', '/embed/demo'])('%s fits a phone', async (path) => {
    live.goLive();
    await open(path, { ...PHONE, colorScheme: 'dark' });
    if (path !== '/watch') await plays();
    const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const);
    expect(screen).toBe(360);
    expect(wide).toBeLessThanOrEqual(screen);
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll('button, input, a')]
        .map((control) => ({ name: control.outerHTML.slice(0, 60), box: control.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.left < 0 || box.right > innerWidth))
        .map(({ name }) => name),
    );
    expect(outside).toEqual([]);
    expect(await axe()).toEqual([]);
  });
});
