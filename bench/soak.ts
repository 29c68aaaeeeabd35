/**
 * Two servers under shows that come and go and faults at random, with viewers that check every playlist and every segment
 * that they get, and recordings that are verified at the end. `script/node bench/soak.ts [seconds] [seed]` (7200, 1).
 * Prints a line a minute and a verdict; exits with 1 when anything was lost or memory grew.
 */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStreamId } from '../contracts/ids.ts';
import { listOpenRecordings } from '../functions/open_recordings.ts';
import { runVod } from '../local/hw_vod.ts';
import { createFileStore } from '../storage/file_store.ts';
import { startBalancer } from '../test/faults/balancer.ts';
import { RetryingPublisher } from '../test/fleet/retrying_publisher.ts';
import { Fleet, keyOf } from '../test/fleet/fleet.ts';
import { CheckingViewer } from '../test/one_machine/checking_viewer.ts';
import { eventually } from '../test/one_machine/eventually.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';
import { recordedSessions } from '../test/recording/stored_recording.ts';

const seconds = Number(process.argv[2] ?? 7200);
const seed = Number(process.argv[3] ?? 1);
const STREAMS = Array.from({ length: 6 }, (_, index) => `soak-${index}`);
/** Shows that run at any time, at least. */
const FEWEST = 2;
/** Time between two faults, ms. */
const PAUSE_MS = 12_000;
/** A session that nobody could end is ended by the reaper, past its reconnect window. */
const FINAL_WITHIN_MS = 240_000;
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
const folder = await mkdtemp(join(tmpdir(), 'headwater-soak-'));
const storeEnv = { HW_RECORDING_STORE: `file:${join(folder, 'recordings')}` };
const fleet = await Fleet.start({
  streamIds: STREAMS,
  transcoders: 2,
  env: { HW_RECONNECT_WINDOW: '60', HW_RECORD: 'all', ...storeEnv },
  edgeEnv: storeEnv,
});
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
/** Epochs of servers that were killed: what they had not recorded yet died with them. */
const lostEpochs = new Set<string>();
/** Requests for such media that were answered 404 or 503. */
let lostWithServer = 0;
const counts: Record<string, number> = {};

/** Watched from the moment on at which it is live: before that the stream shows the end of its last show. */
async function begin(streamId: string): Promise<void> {
  const publisher = new RetryingPublisher({ ports: [balancer.port], key: keyOf(streamId), source });
  await publisher.publishing;
  const isLive = async (): Promise<boolean> => {
    const [status, playlist] = await Promise.all([
      fleet.status(streamId),
      fetch(`${fleet.origin}/${streamId}/180p/index.m3u8`).then(async (reply) => reply.text()),
    ]);
    return status?.state === 'live' && playlist.startsWith('#EXTM3U') && !playlist.includes('#EXT-X-ENDLIST');
  };
  await eventually(`${streamId} is live`, 60_000, isLive);
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
  if (show.viewer.ended) violations.push(`${streamId}: its viewer was told of an end while it was published`);
  await Promise.race([show.publisher.sayGoodbye(), sleep(3000)]);
  await show.viewer.stop();
  for (const line of show.viewer.violations) {
    if (isLostWithServer(line)) lostWithServer += 1;
    else violations.push(`${streamId}: ${line}`);
  }
  if (show.viewer.playlists === 0) violations.push(`${streamId}: no playlist was ever seen`);
}

function isLostWithServer(violation: string): boolean {
  const epoch = /\/([0-9]+)\/[^/ ]+\/[^/ ]+ was answered (?:404|503) /.exec(violation)?.[1];
  return epoch !== undefined && lostEpochs.has(epoch);
}

/** What is done to the fleet; each leaves it able to recover. */
const FAULTS: Readonly<Record<string, () => Promise<void>>> = {
  'publisher resets': async () => {
    await pick([...shows.values()])?.publisher.reset();
  },
  'show ends': async () => {
    const chosen = pick([...shows]);
    if (chosen !== undefined && shows.size > FEWEST) await finish(...chosen);
  },
  'show begins': async () => {
    const idle = pick(STREAMS.filter((streamId) => !shows.has(streamId)));
    if (idle !== undefined) await begin(idle);
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
    for (const [, epoch] of fleet
      .transcoder(victim)
      .log()
      .matchAll(/"epoch":([0-9]+)/g)) {
      lostEpochs.add(epoch ?? '');
    }
    serverCount += 1;
    await fleet.addTranscoder(`t${serverCount}`);
    alive = [...alive.filter((index) => index !== victim), fleet.transcoders.length - 1];
    balancer.aim(alive.map((index) => fleet.rtmpPort(index)));
  },
  'registry is emptied': async () => {
    await fleet.redis.nodes[0]?.flushall();
  },
};

await Promise.all(STREAMS.slice(0, 4).map(begin));
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
  const seen = [...shows.values()].flatMap(({ viewer }) => viewer.violations);
  const broken = [...violations, ...seen.filter((line) => !isLostWithServer(line))];
  const left = Math.round((endsAtMs - saidAtMs) / 1000);
  const rssMb = Math.round(memory.at(-1) ?? 0);
  const said = { leftS: left, shows: shows.size, last: name, rssMb, broken: broken.length, newest: broken.at(-1) };
  console.log(JSON.stringify(said));
}
for (const [streamId, show] of shows) await finish(streamId, show);

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const quarter = Math.max(1, Math.floor(memory.length / 4));
const growth = mean(memory.slice(-quarter)) / mean(memory.slice(quarter, 2 * quarter));
const flat = growth < MOST_GROWTH;
const figures = { seconds, seed, faults: counts, growth: Number(growth.toFixed(3)), lostWithServer, violations };
console.log(JSON.stringify(figures, undefined, 2));

// What is running is ended, and made final by whoever is there to do it.
const store = createFileStore(join(folder, 'recordings'));
const badRecordings: string[] = [];
const openRecordings = async (): Promise<string[]> => {
  const names: string[] = [];
  for await (const { streamId, sessionId } of listOpenRecordings(store)) names.push(`${streamId}/${sessionId}`);
  return names;
};
const finalByMs = Date.now() + FINAL_WITHIN_MS;
while ((await openRecordings()).length > 0 && Date.now() < finalByMs) await sleep(1000);
badRecordings.push(...(await openRecordings()).map((name) => `${name}: not made final`));
let recordings = 0;
for (const name of STREAMS) {
  const streamId = parseStreamId(name);
  for (const sessionId of await recordedSessions(store, streamId)) {
    recordings += 1;
    const command = { verb: 'verify', streamId, sessionId, yes: false, open: false, quick: false } as const;
    const { status, text } = await runVod(command, storeEnv);
    if (status !== 0) badRecordings.push(`${streamId}/${sessionId}: ${text}`);
  }
}
store.close();
console.log(JSON.stringify({ recordings, badRecordings }, undefined, 2));

balancer.close();
await fleet.close();
await rm(folder, { recursive: true, force: true });
process.exit(violations.length + badRecordings.length > 0 || !flat ? 1 : 0);
