/**
 * What copy relays cost, and what dead targets do to the others: one 2.5 Mb/s stream to 50 targets, then the delay of a
 * frame from the publisher to five good targets, alone and beside five that hang, refuse or stop reading.
 * `script/node bench/relays.ts [seconds] [targets]`
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createIngestServer } from '../transcoder/ingest/ingest_server.ts';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { PacedPublisher } from '../test/one_machine/paced_publisher.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';
import { startFreezingProxy } from '../test/one_machine/freezing_proxy.ts';
import { startPublishHook } from '../test/relays/publish_hook.ts';
import type { RelayGrant } from '../test/relays/publish_hook.ts';
import { cpuSeconds, residentMiB } from './process_cpu.ts';

const seconds = Number(process.argv[2] ?? 30);
const targets = Number(process.argv[3] ?? 50);
/** Connecting, and the first key frames. */
const SETTLE_MS = 5000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const source = await makeTestSource({ size: '1280x720', videoBitrate: 2_500_000, gopSeconds: 2 });
const bits = source.frames.reduce((sum, { body }) => sum + body.length * 8, 0);

/** What the targets got: frames, and for each the time at which it came, by timestamp. */
let frames = 0;
let onFrame: ((timestampMs: number) => void) | undefined;
const quiet = () => undefined;
const sink = createIngestServer({
  port: 0,
  host: '127.0.0.1',
  accept: () =>
    Promise.resolve({
      media: ({ kind, timestampMs }) => {
        if (kind !== 'video') return;
        frames += 1;
        onFrame?.(timestampMs);
      },
      ended: quiet,
    }),
  logger: { info: quiet, warn: quiet, error: quiet },
});
const { rtmp: sinkPort } = await sink.listen();
const good = (count: number): RelayGrant[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `good${index}`,
    url: `rtmp://127.0.0.1:${sinkPort}/live/key-${index}`,
  }));

/** Runs one stream with these relays and gives what `measure` found between its settling and its end. */
async function withRelays<Found>(
  relays: readonly RelayGrant[],
  measure: (pid: number, publisher: PacedPublisher) => Promise<Found>,
): Promise<Found> {
  const hook = await startPublishHook('bench', relays);
  const machine = await startMachine({
    ...hook.env,
    HW_RELAY_ALLOW_PRIVATE: '1',
    HW_GOODBYE_WINDOW: '0',
    HW_RECORD: 'off',
    // One rung as large as the source: it is passed through and nothing is encoded but sound.
    HW_LADDER: '720p:2800k:2996k:128k',
    LOG_LEVEL: 'warn',
  });
  const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: 'any-key-at-all', source });
  await wait(SETTLE_MS);
  const found = await measure(machine.pid, publisher);
  await publisher.sayGoodbye();
  await machine.stop();
  hook.close();
  return found;
}

async function cpuOf(count: number) {
  return withRelays(good(count), async (pid) => {
    const [cpu, from] = [cpuSeconds(pid).own, frames];
    await wait(seconds * 1000);
    return {
      cores: (cpuSeconds(pid).own - cpu) / seconds,
      framesPerSecond: (frames - from) / seconds,
      residentMiB: residentMiB(pid),
    };
  });
}

/** ms from the moment at which the publisher was to send a frame to its arrival, over all good targets. */
async function delays(dead: readonly RelayGrant[]) {
  const delaysMs: number[] = [];
  const startedAtMs = performance.now();
  await withRelays([...good(5), ...dead], async () => {
    onFrame = (timestampMs) => delaysMs.push(performance.now() - startedAtMs - timestampMs);
    await wait(seconds * 1000);
    onFrame = undefined;
  });
  const sorted = delaysMs.toSorted((a, b) => a - b);
  // The publisher's own start is in all of them alike: the fastest frame stands for none.
  const fastest = sorted[0] ?? 0;
  const at = (share: number) => Number(((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) - fastest).toFixed(1));
  return { frames: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function startDead() {
  const sockets = new Set<Socket>();
  const listen = (act: (socket: Socket) => void) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', quiet);
      act(socket);
    });
    server.listen(0, '127.0.0.1');
    return server;
  };
  const hanging = listen((socket) => socket.resume());
  const dropping = listen((socket) => socket.destroy());
  // A listening port that nobody accepts from looks like this one: it takes what fits into buffers and no more.
  const frozen = await startFreezingProxy(sinkPort);
  const timer = setTimeout(() => frozen.freeze(), SETTLE_MS / 2);
  await wait(50);
  const port = (server: typeof hanging) => (server.address() as AddressInfo).port;
  const url = (to: number) => `rtmp://127.0.0.1:${to}/live/key`;
  return {
    relays: [
      { name: 'hanging', url: url(port(hanging)) },
      { name: 'dropping', url: url(port(dropping)) },
      { name: 'refusing', url: url(1) },
      { name: 'frozen', url: url(frozen.port) },
      { name: 'unknown', url: 'rtmp://no-such-host.invalid/live/key' },
    ],
    close: () => {
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      hanging.close();
      dropping.close();
      frozen.close();
    },
  };
}

const show = (line: object): void => console.log(JSON.stringify(line));
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

show({ sourceMbps: round(bits / source.durationMs / 1000, 2), seconds, targets });
const none = await cpuOf(0);
const all = await cpuOf(targets);
show({
  coresWithout: round(none.cores, 4),
  coresWith: round(all.cores, 4),
  percentOfACorePerTarget: round(((all.cores - none.cores) / targets) * 100, 3),
  framesPerSecondPerTarget: round(all.framesPerSecond / targets, 1),
  residentMiBWithout: Math.round(none.residentMiB),
  residentMiBWith: Math.round(all.residentMiB),
});
show({ fiveGood: await delays([]) });
const dead = await startDead();
show({ fiveGoodBesideFiveDead: await delays(dead.relays) });
dead.close();
await sink.close();
