/**
 * How long a player stands still when the serving transcoder is killed: an encoder that connects again after 2 s, Redis,
 * functions, edge and transcoders as processes of their own, one kill after the other.
 * `script/node bench/failover.ts [kills] [hls.js|shaka|video.js|native]`
 */
import { Fleet, keyOf } from '../test/fleet/fleet.ts';
import { PictureWatch } from '../test/fleet/picture_watch.ts';
import { RetryingPublisher } from '../test/fleet/retrying_publisher.ts';
import { eventually } from '../test/one_machine/eventually.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';
import { openPlayer, PLAYERS } from '../test/players/player_page.ts';

const kills = Number(process.argv[2] ?? 30);
const player = PLAYERS.find((name) => name === (process.argv[3] ?? 'hls.js'));
if (player === undefined) throw new Error(`got "${process.argv[3]}", wanted one of ${PLAYERS.join(', ')}`);
/** Between two kills the player plays on for this long, ms. */
const CALM_MS = 8000;

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

const source = await makeTestSource({ size: '640x360', rate: 30, gopSeconds: 2, videoBitrate: 800_000 });
const fleet = await Fleet.start({ streamIds: ['show'], transcoders: 2 });
const stalls: number[] = [];
let violations: readonly string[] = [];
let errors: readonly string[] = [];
try {
  const viewer = fleet.follow('show', '360p', true);
  const publisher = new RetryingPublisher({
    ports: [fleet.rtmpPort(0), fleet.rtmpPort(1)],
    key: keyOf('show'),
    source,
  });
  await publisher.publishing;
  await viewer.waitForSegments(3, 30_000);
  const tab = await openPlayer(player, `${fleet.origin}/show/live.m3u8`);
  const watch = await PictureWatch.start(tab);
  for (let kill = 0; kill < kills; kill += 1) {
    await new Promise((resolve) => setTimeout(resolve, CALM_MS + ((kill * 700) % 3000)));
    await watch.reset();
    const serving = fleet.transcoders.length - 2;
    const epochs = viewer.epochs.length;
    fleet.transcoder(serving).child.kill('SIGKILL');
    await viewer.waitFor('the other server', 40_000, () => viewer.epochs.length > epochs);
    const frames = await watch.frames();
    await eventually('the player plays on', 40_000, async () => (await watch.frames()) > frames + 90);
    const longestMs = await watch.longestMs();
    stalls.push(Math.round(longestMs));
    console.log(`kill ${kill + 1}: stood still for ${Math.round(longestMs)} ms`);
    // The one that serves now is the next to be killed; a new one stands by.
    await fleet.addTranscoder(`t${kill + 3}`);
    publisher.retarget([fleet.rtmpPort(kill + 1), fleet.rtmpPort(kill + 2)]);
  }
  errors = (await tab.errors()).filter((error) => error.startsWith('fatal'));
  violations = viewer.violations;
  await tab.close();
  await publisher.stop();
} finally {
  await fleet.close();
}
console.log(
  JSON.stringify({
    player,
    kills: stalls.length,
    p50Ms: percentile(stalls, 0.5),
    p95Ms: percentile(stalls, 0.95),
    worstMs: Math.max(...stalls),
    fatalErrors: errors.length,
    brokenRules: violations,
  }),
);
