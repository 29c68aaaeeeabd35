/**
 * Glass to glass directly from the edge, through Varnish and through nginx in front of it, one after the other on the
 * same stream: from the time that a publisher burns into its picture to the time at which Chromium shows it.
 * `script/node bench/cdn_latency.ts [seconds for each] [rounds]`
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import { startCache } from '../test/cdn/cache_process.ts';
import { percentile } from '../test/cdn/low_latency_viewers.ts';
import { MEDIA_TOKEN, openRealStream } from '../test/cdn/real_stream.ts';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { findOnPath } from '../test/watch/find_on_path.ts';
import { publishClock, READ_CLOCK } from './clock_picture.ts';

const seconds = Number(process.argv[2] ?? 60);
const rounds = Number(process.argv[3] ?? 1);
/** The player settles for this long before it counts, s. */
const SETTLE = 10;

const machine = await startMachine({ HW_MEDIA_TOKEN: MEDIA_TOKEN });
const publisher = publishClock(`rtmp://127.0.0.1:${machine.ports.rtmp}/stream/bench-stream-key`);
while (!(await fetch(`http://127.0.0.1:${machine.ports.edge}/bench/live.m3u8`)).ok) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const stream = await openRealStream(machine, 'bench');
const edge = await stream.startEdge('node');
const varnish = await startCache('varnish', edge.port);
const nginx = await startCache('nginx', edge.port);

const hls = await readFile(new URL(import.meta.resolve('hls.js/dist/hls.min.js')));
const page = (playlist: string): string => `<!doctype html><video muted playsinline width=320></video>
<script src="/hls.js"></script><script>
  const video = document.querySelector('video');
  const hls = window.player = new Hls(); hls.loadSource('${playlist}'); hls.attachMedia(video); video.play();
</script>`;
const site = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://site');
  response.end(url.pathname === '/hls.js' ? hls : page(url.searchParams.get('playlist') ?? ''));
}).listen(0, '127.0.0.1');
const browser = await chromium.launch({
  executablePath: await findOnPath(['chromium', 'chromium-browser', 'google-chrome']),
  args: ['--no-sandbox', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'],
});

async function measure(origin: string): Promise<readonly number[]> {
  const tab = await browser.newPage();
  const playlist = encodeURIComponent(`${origin}/bench/live.m3u8`);
  await tab.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/?playlist=${playlist}`);
  await tab.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1);
  await tab.waitForTimeout(SETTLE * 1000);
  const samples = await tab.evaluate<[number, number][]>(
    `(${READ_CLOCK})(document.querySelector('video'), ${seconds})`,
  );
  await tab.close();
  return samples.map(([, latency]) => latency);
}

const ways = [
  ['direct', edge.url],
  ['varnish', varnish.url],
  ['nginx', nginx.url],
] as const;
const latencies = new Map<string, number[]>(ways.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const [name, origin] of ways) latencies.get(name)?.push(...(await measure(origin)));
}
const directP95 = percentile(
  (latencies.get('direct') ?? []).toSorted((a, b) => a - b),
  0.95,
);
for (const [through, values] of latencies) {
  const sorted = values.toSorted((a, b) => a - b);
  const p95Ms = percentile(sorted, 0.95);
  console.log(
    JSON.stringify({
      through,
      frames: sorted.length,
      p50Ms: Math.round(percentile(sorted, 0.5)),
      p95Ms: Math.round(p95Ms),
      aboveDirectP95Ms: Math.round(p95Ms - directP95),
    }),
  );
}
await browser.close();
site.close();
await nginx.stop();
await varnish.stop();
await edge.stop();
await stream.close();
await publisher.stop();
await machine.stop();
