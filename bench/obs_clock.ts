/**
 * OBS Studio with its defaults as the publisher of the clock: a browser on one virtual screen shows the time in blocks,
 * and OBS, on another, captures that screen.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { makeObsHome, OBS_ARGUMENTS } from '../test/encoders/obs_profile.ts';

const SIZE = { width: 1280, height: 720 };

/** The same blocks as clock_picture.ts draws: 32 columns of 40 pixels, the lowest bit on the left. */
const CLOCK_PAGE = `<!doctype html><body style="margin:0;overflow:hidden;background:#444"><canvas width=1280 height=720></canvas><script>
  const context = document.querySelector('canvas').getContext('2d'); let frame = 0;
  const draw = () => {
    const low = Date.now() % 2 ** 32;
    for (let bit = 0; bit < 32; bit += 1) {
      context.fillStyle = Math.floor(low / 2 ** bit) % 2 === 1 ? '#fff' : '#000';
      context.fillRect(bit * 40, 0, 40, 40);
    }
    context.fillStyle = 'hsl(' + (frame += 3) + ' 60% 50%)';
    context.fillRect((frame * 4) % 1280, 200, 120, 300);
    requestAnimationFrame(draw);
  };
  draw();
</script>`;

async function startScreen(): Promise<{ readonly display: string; readonly child: ChildProcess }> {
  for (let number = 90; number < 190; number += 1) {
    if (existsSync(`/tmp/.X11-unix/X${number}`)) continue;
    const display = `:${number}`;
    const child = spawn('Xvfb', [display, '-screen', '0', `${SIZE.width}x${SIZE.height}x24`, '-nolisten', 'tcp'], {
      stdio: 'ignore',
    });
    for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
      if (existsSync(`/tmp/.X11-unix/X${number}`)) return { display, child };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('no virtual screen could be started: is Xvfb installed?');
}

export interface ObsPublisher {
  stop(): Promise<void>;
}

export async function publishClockWithObs(server: string, streamKey: string): Promise<ObsPublisher> {
  const home = await mkdtemp(join(tmpdir(), 'headwater-obs-'));
  const shown = await startScreen();
  const own = await startScreen();
  // A kiosk's first page fills the screen; a page that is opened later gets a window with bars.
  const browser = await chromium.launchPersistentContext('', {
    executablePath: process.env['HW_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
    headless: false,
    viewport: null,
    env: { ...process.env, DISPLAY: shown.display },
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--kiosk',
      '--window-position=0,0',
      '--window-size=1280,720',
    ],
  });
  const page = browser.pages()[0] ?? (await browser.newPage());
  await page.setContent(CLOCK_PAGE);
  await makeObsHome(
    home,
    { server, streamKey },
    { id: 'xshm_input', settings: { screen: 0, advanced: true, server: shown.display, show_cursor: false } },
  );
  const obs = spawn('obs', OBS_ARGUMENTS, {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], HOME: home, DISPLAY: own.display, LIBGL_ALWAYS_SOFTWARE: '1' },
  });
  return {
    stop: async () => {
      const gone = new Promise((resolve) => obs.once('close', resolve));
      obs.kill('SIGKILL');
      await gone;
      await browser.close();
      for (const { child } of [shown, own]) child.kill('SIGTERM');
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
