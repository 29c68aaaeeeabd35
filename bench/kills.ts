/**
 * How long a viewer's picture stands still when the serving transcoder is killed with SIGKILL, again and again: two
 * transcoders behind a balancer, a publisher that tries again after 2 s as OBS does, hls.js in Chromium, one session.
 * `script/node bench/kills.ts [runs]` (30)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startBalancer } from '../test/faults/balancer.ts';
import { watchWithPlayer } from '../test/faults/fault_player.ts';
import { StubbornPublisher } from '../test/faults/stubborn_publisher.ts';
import { Fleet, keyOf } from '../test/fleet/fleet.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';

const runs = Number(process.argv[2] ?? 30);
const fleet = await Fleet.start({ streamIds: ['show'], transcoders: 2 });
const alive = new Map([0, 1].map((index) => [fleet.rtmpPort(index), index]));
const balancer = await startBalancer([...alive.keys()]);
const publisher = StubbornPublisher.start({ port: balancer.port, key: keyOf('show'), source: await makeTestSource() });
const viewer = fleet.follow('show', '180p', true);
const player = await watchWithPlayer(`${fleet.origin}/show/live.m3u8`);
const session = (await fleet.status('show'))?.sessionId;
const stalls: number[] = [];
for (let run = 0; run < runs; run += 1) {
  // At another moment of a segment each time.
  await player.playsOn(4 + (run % 10) * 0.2, 60_000);
  await player.forget();
  const port = balancer.targets().at(-1) ?? 0;
  const index = alive.get(port);
  if (index === undefined) throw new Error(`nobody is known to serve port ${port}`);
  alive.delete(port);
  await fleet.transcoder(index).stop('SIGKILL');
  await fleet.addTranscoder(`t${run + 3}`);
  const added = fleet.transcoders.length - 1;
  alive.set(fleet.rtmpPort(added), added);
  balancer.aim([...alive.keys()]);
  await player.playsOn(4, 60_000);
  stalls.push(await player.stalledMs());
  console.log(JSON.stringify({ run: run + 1, stallS: Number(((stalls.at(-1) ?? 0) / 1000).toFixed(2)) }));
}
const sorted = stalls.toSorted((a, b) => a - b);
const quantile = (share: number) => Number(((sorted[Math.ceil(share * sorted.length) - 1] ?? 0) / 1000).toFixed(2));
const fatal = await player.fatalErrors();
const result = {
  runs,
  stallP50S: quantile(0.5),
  stallP95S: quantile(0.95),
  worstS: quantile(1),
  fatalErrors: fatal.length,
  sameSession: (await fleet.status('show'))?.sessionId === session,
  connections: publisher.connections,
  violations: viewer.violations,
};
console.log(JSON.stringify(result, undefined, 2));
await player.close();
await Promise.race([publisher.stop(), sleep(2000)]);
balancer.close();
await fleet.close();
process.exit(fatal.length + viewer.violations.length > 0 ? 1 : 0);
