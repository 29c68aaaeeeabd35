/**
 * Two servers under shows that come and go and faults at random, with viewers that check every playlist and every segment
 * that they get. `script/node bench/soak.ts [seconds] [seed]` (7200, 1). Prints a line a minute and a verdict; exits with 1
 * when anything was lost or memory grew.
 */
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBalancer } from '../test/faults/balancer.ts';
import { RetryingPublisher } from '../test/fleet/retrying_publisher.ts';
import { Fleet, keyOf } from '../test/fleet/fleet.ts';
import { CheckingViewer } from '../test/one_machine/checking_viewer.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';

const seconds = Number(process.argv[2] ?? 7200);
const seed = Number(process.argv[3] ?? 1);
const STREAMS = Array.from({ length: 6 }, (_, index) => `soak-${index}`);
/** Time between two faults, ms. */
const PAUSE_MS = 12_000;
/** Memory may grow by this share between the first and the last quarter of the run. */
const MOST_GROWTH = 1.25;

/** mulberry32: the same faults for the same seed. */
function randomFrom(state: number): () => number {
  let value = state;
  return () => {
    value = (value + 0x6d2b79f5) | 0;
    let mixed = Math.imul(value ^ (value >>> 15), 1 | value);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomFrom(seed);
const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)];

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  );
  return lists.join(' ').split(' ').filter(Boolean).map(Number);
}

const source = await makeTestSource();
const fleet = await Fleet.start({ streamIds: STREAMS, transcoders: 2, env: { HW_RECONNECT_WINDOW: '60' } });
let serverCount = 2;
/** Indices of the transcoders that run. */
let alive = [0, 1];
const balancer = await startBalancer(alive.map((index) => fleet.rtmpPort(index)));

interface Show {
  publisher: RetryingPublisher;
  viewer: CheckingViewer;
}
const shows = new Map<string, Show>();
const violations: string[] = [];
const counts: Record<string, number> = {};

function begin(streamId: string): void {
  const publisher = new RetryingPublisher({ ports: [balancer.port], key: keyOf(streamId), source });
  const viewer = CheckingViewer.follow({
    origin: fleet.origin,
    streamId,
    rendition: '180p',
    forgetMedia: true,
    mayJump: true,
  });
  shows.set(streamId, { publisher, viewer });
}

async function finish(streamId: string, show: Show): Promise<void> {
  shows.delete(streamId);
  await Promise.race([show.publisher.sayGoodbye(), sleep(3000)]);
  await show.viewer.stop();
  violations.push(...show.viewer.violations.map((line) => `${streamId}: ${line}`));
  if (show.viewer.playlists === 0) violations.push(`${streamId}: no playlist was ever seen`);
}

/** What is done to the fleet; each leaves it able to recover. */
const FAULTS: Readonly<Record<string, () => Promise<void>>> = {
  'publisher resets': async () => {
    await pick([...shows.values()])?.publisher.reset();
  },
  'show ends': async () => {
    const chosen = pick([...shows]);
    if (chosen !== undefined) await finish(...chosen);
  },
  'show begins': async () => {
    const idle = pick(STREAMS.filter((streamId) => !shows.has(streamId)));
    if (idle !== undefined) begin(idle);
  },
  'FFmpeg is killed': async () => {
    const server = pick(alive);
    const victim = server === undefined ? undefined : pick(await childrenOf(fleet.transcoder(server).pid));
    if (victim !== undefined) process.kill(victim, 'SIGKILL');
  },
  'FFmpeg hangs': async () => {
    const server = pick(alive);
    const victim = server === undefined ? undefined : pick(await childrenOf(fleet.transcoder(server).pid));
    if (victim !== undefined) process.kill(victim, 'SIGSTOP');
  },
  'transcoder is killed': async () => {
    const victim = pick(alive);
    if (victim === undefined) return;
    await fleet.transcoder(victim).stop('SIGKILL');
    serverCount += 1;
    await fleet.addTranscoder(`t${serverCount}`);
    alive = [...alive.filter((index) => index !== victim), fleet.transcoders.length - 1];
    balancer.aim(alive.map((index) => fleet.rtmpPort(index)));
  },
  'registry is emptied': async () => {
    await fleet.redis.nodes[0]?.flushall();
  },
};

for (const streamId of STREAMS.slice(0, 4)) begin(streamId);
const memory: number[] = [];
const endsAtMs = Date.now() + seconds * 1000;
let saidAtMs = 0;
while (Date.now() < endsAtMs) {
  await sleep(PAUSE_MS);
  const name = pick(Object.keys(FAULTS)) ?? '';
  counts[name] = (counts[name] ?? 0) + 1;
  await FAULTS[name]?.();
  const pids = [fleet.edge.pid, fleet.functions.pid, ...alive.map((index) => fleet.transcoder(index).pid)];
  const rss = await Promise.all(pids.map(rssOf));
  memory.push(rss.reduce((sum, one) => sum + one, 0));
  if (Date.now() - saidAtMs < 60_000) continue;
  saidAtMs = Date.now();
  const broken = violations.length + [...shows.values()].reduce((sum, { viewer }) => sum + viewer.violations.length, 0);
  const left = Math.round((endsAtMs - saidAtMs) / 1000);
  console.log(
    JSON.stringify({ leftS: left, shows: shows.size, last: name, rssMb: Math.round(memory.at(-1) ?? 0), broken }),
  );
}
for (const [streamId, show] of shows) await finish(streamId, show);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const quarter = Math.max(1, Math.floor(memory.length / 4));
const growth = mean(memory.slice(-quarter)) / mean(memory.slice(quarter, 2 * quarter));
const flat = growth < MOST_GROWTH;
console.log(
  JSON.stringify({ seconds, seed, faults: counts, growth: Number(growth.toFixed(3)), violations }, undefined, 2),
);
balancer.close();
await fleet.close();
process.exit(violations.length > 0 || !flat ? 1 : 0);
