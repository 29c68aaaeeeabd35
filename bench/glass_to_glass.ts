/**
 * Glass to glass: from the time that a publisher burns into its picture to the time at which Chromium shows it, with
 * hls.js as it comes, at the defaults of the server. `script/node bench/glass_to_glass.ts [seconds] [obs]`; with `obs`, OBS Studio
 * with its own defaults publishes instead of a zero-latency FFmpeg.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import { publishClock, READ_CLOCK } from './clock_picture.ts';
import { publishClockWithObs } from './obs_clock.ts';
import { startMachine } from '../test/one_machine/machine_process.ts';

const seconds = Number(process.argv[2] ?? 60);
/** The player settles for this long before it counts, s. */
const SETTLE = 10;

const machine = await startMachine();
const server = `rtmp://127.0.0.1:${machine.ports.rtmp}/stream`;
const publisher =
  process.argv[3] === 'obs'
    ? await publishClockWithObs(server, 'bench-stream-key')
    : publishClock(`${server}/bench-stream-key`);
const playlist = `http://127.0.0.1:${machine.ports.edge}/bench/live.m3u8`;
const acceptedAt = performance.now();
while (!(await fetch(playlist)).ok) await new Promise((resolve) => setTimeout(resolve, 50));
const playableMs = performance.now() - acceptedAt;

// A viewer joins a show that has been on for a while.
await new Promise((resolve) => setTimeout(resolve, SETTLE * 1000));

const hls = await readFile(new URL(import.meta.resolve('hls.js/dist/hls.min.js')));
const page = `<!doctype html><video muted playsinline width=320></video><script src="/hls.js"></script><script>
  const video = document.querySelector('video'); window.errors = [];
  const hls = window.player = new Hls(); hls.on(Hls.Events.ERROR, (_, data) => window.errors.push(data.details));
  hls.loadSource('${playlist}'); hls.attachMedia(video); video.play();
</script>`;
const site = createServer((request, response) => response.end(request.url === '/hls.js' ? hls : page)).listen(
  0,
  '127.0.0.1',
);
const browser = await chromium.launch({
  executablePath: process.env['HW_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'],
});
const tab = await browser.newPage();
await tab.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
await tab.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1);
await tab.waitForTimeout(SETTLE * 1000);
const samples = await tab.evaluate<[number, number][]>(`(${READ_CLOCK})(document.querySelector('video'), ${seconds})`);
const errors = await tab.evaluate<string[]>('window.errors');
const player = await tab.evaluate<object>(
  '({ latencyS: player.latency, targetLatencyS: player.targetLatency, height: document.querySelector("video").videoHeight })',
);
const sorted = samples.map(([, latency]) => latency).toSorted((a, b) => a - b);
const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
console.log(
  JSON.stringify({
    frames: sorted.length,
    seconds,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    maxMs: at(1),
    playlistAfterMs: Math.round(playableMs),
    ...player,
    playerErrors: errors,
  }),
);
await browser.close();
site.close();
await publisher.stop();
await machine.stop();
