/**
 * Starts Chromium, wherever the system has it, without a window: media may play without a click, and nothing calls home.
 */
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { findOnPath } from './find_on_path.ts';

/** @throws Error when there is none on PATH */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await findOnPath(['chromium', 'chromium-browser', 'google-chrome']),
    args: ['--no-sandbox', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'],
  });
}
