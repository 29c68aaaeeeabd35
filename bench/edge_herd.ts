/**
 * Thousands of simulated low-latency viewers of one stream on one edge: what they cost the media server, the edge and
 * this generator. Each holds a connection, and for each part sends one blocking reload and fetches the part.
 * `script/node bench/edge_herd.ts [viewers] [seconds] [playlists]`; with `playlists`, nobody fetches the parts.
 * Void when the generator itself lags by more than 250 ms.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MEDIA_TOKEN, openRealStream } from '../test/cdn/real_stream.ts';
import { Poller } from '../test/edge/poller.ts';
import { publishWithFfmpeg } from '../test/one_machine/ffmpeg_publisher.ts';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { cpuSeconds, residentMiB } from './process_cpu.ts';

const viewers = Number(process.argv[2] ?? 5000);
const seconds = Number(process.argv[3] ?? 60);
const fetchesParts = process.argv[4] !== 'playlists';
const MAX_LAG_MS = 250;
const CONNECT_AT_ONCE = 200;

const sleep = async (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

// One rendition, passed through: 360p.
const machine = await startMachine({ HW_MEDIA_TOKEN: MEDIA_TOKEN, HW_LADDER: '360p:800k:856k:96k' });
const publisher = publishWithFfmpeg(`rtmp://127.0.0.1:${machine.ports.rtmp}/stream/bench-stream-key`, {
  size: '640x360',
  gopSeconds: 2,
  videoBitrate: 700_000,
});
while (!(await fetch(`http://127.0.0.1:${machine.ports.edge}/bench/live.m3u8`)).ok) await sleep(100);
const stream = await openRealStream(machine, 'bench');
const edge = await stream.startEdge('node');
const upstreamRequests = async (): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${edge.metricsPort}/metrics`)).text();
  return Number(/^headwater_edge_upstream_requests_total (\d+)$/m.exec(text)?.[1]);
};

interface Step {
  /** Of the reload that shows the part. */
  readonly reload: string;
  readonly part: string;
}
const playlist = '/bench/360p/index.m3u8';
const edgePid = edge.child.pid ?? 0;

/** The part that a playlist announces. */
function announced(text: string): Step {
  const uri = /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(text)?.[1] ?? '';
  const part = new URL(uri, `http://edge${playlist}`).pathname;
  const [, msn, index] = /\/(\d+)\.(\d+)\.m4s$/.exec(part) ?? [];
  if (index === undefined) throw new Error(`the playlist announces no part:\n${text}`);
  return { reload: `${playlist}?_HLS_msn=${msn}&_HLS_part=${index}`, part };
}

const pollers: Poller[] = [];
while (pollers.length < viewers) {
  const batch = Array.from(
    { length: Math.min(CONNECT_AT_ONCE, viewers - pollers.length) },
    () => new Poller(edge.port),
  );
  await Promise.all(batch.map(async (poller) => poller.get('/livez')));
  pollers.push(...batch);
}
const first = announced(await (await fetch(`${edge.url}${playlist}`)).text());

// What each reload announced, read once for all: the generator has better things to do.
const nextOf = new Map<string, Step>();
const targets = new Set<string>();
let errors = 0;
let replies = 0;
const lag = monitorEventLoopDelay({ resolution: 10 });
lag.enable();
/** Until it is compiled, the generator lags by itself. */
const WARM_UP_MS = 3000;
setTimeout(() => lag.reset(), WARM_UP_MS);
const before = { upstream: await upstreamRequests(), edge: cpuSeconds(edgePid).own, own: process.cpuUsage() };
const endMs = performance.now() + seconds * 1000;
await Promise.all(
  pollers.map(async (poller) => {
    let step = first;
    while (performance.now() < endMs) {
      const reload = await poller.get(step.reload);
      targets.add(step.reload);
      if (reload.status !== 200) errors += 1;
      if (fetchesParts) {
        const part = await poller.get(step.part);
        targets.add(step.part);
        if (part.status !== 200 || part.length === 0) errors += 1;
      }
      replies += fetchesParts ? 2 : 1;
      const next = nextOf.get(step.reload) ?? announced(reload.text());
      nextOf.set(step.reload, next);
      step = next;
    }
  }),
);
const upstream = (await upstreamRequests()) - before.upstream;
const own = process.cpuUsage(before.own);
const lagMs = lag.max / 1e6;
console.log(
  JSON.stringify({
    viewers,
    seconds,
    replies,
    errors,
    parts: nextOf.size,
    upstreamRequestsPerObject: Number((upstream / targets.size).toFixed(3)),
    edgeCpuSeconds: Number((cpuSeconds(edgePid).own - before.edge).toFixed(1)),
    edgeMiB: Math.round(residentMiB(edgePid)),
    generatorCpuSeconds: Number(((own.user + own.system) / 1e6).toFixed(1)),
    generatorLagMs: Math.round(lagMs),
    void: lagMs > MAX_LAG_MS,
  }),
);
for (const poller of pollers) poller.close();
await edge.stop();
await stream.close();
await publisher.stop();
await machine.stop();
