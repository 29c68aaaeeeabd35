/**
 * A rolling replacement of both servers under live streams: new ones are started, the old ones are told to go (SIGTERM)
 * one after the other, publishers reconnect as OBS does, and viewers check every playlist.
 * `script/node bench/rolling.ts [streams] [viewers]` (10, 50)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startBalancer } from '../test/faults/balancer.ts';
import { RetryingPublisher } from '../test/fleet/retrying_publisher.ts';
import { Fleet, keyOf } from '../test/fleet/fleet.ts';
import { CheckingViewer } from '../test/one_machine/checking_viewer.ts';
import { eventually } from '../test/one_machine/eventually.ts';
import { makeTestSource } from '../test/one_machine/test_source.ts';

const streamCount = Number(process.argv[2] ?? 10);
const viewerCount = Number(process.argv[3] ?? 50);
const streamIds = Array.from({ length: streamCount }, (_, index) => `show-${index}`);
const source = await makeTestSource();
const fleet = await Fleet.start({ streamIds, transcoders: 2, env: { HW_MAX_STREAMS: '64' } });
const balancer = await startBalancer([0, 1].map((index) => fleet.rtmpPort(index)));
const publishers = streamIds.map(
  (streamId) => new RetryingPublisher({ ports: [balancer.port], key: keyOf(streamId), source }),
);
await eventually('all are live', 60_000, () => publishers.every(({ accepted }) => accepted > 0));
const viewers = Array.from({ length: viewerCount }, (_, index) =>
  CheckingViewer.follow({
    origin: fleet.origin,
    streamId: streamIds[index % streamCount] ?? '',
    rendition: '180p',
    forgetMedia: true,
    mayJump: true,
  }),
);
await Promise.all(viewers.map((viewer) => viewer.waitForSegments(3, 60_000)));
for (const viewer of viewers) viewer.resetClocks();
const sessions = await Promise.all(streamIds.map(async (streamId) => (await fleet.status(streamId))?.sessionId));
for (const old of [0, 1]) {
  await fleet.addTranscoder(`new-${old}`);
  // The old one stays a target of the balancer until it is gone, as in the cloud; it passes newcomers on.
  const running = fleet.transcoders.flatMap((_, index) => (index >= old ? [fleet.rtmpPort(index)] : []));
  balancer.aim(running);
  // Its peers hear of the new one with their next heartbeat.
  await sleep(4000);
  const from = performance.now();
  const exit = await fleet.transcoder(old).stop('SIGTERM');
  console.log(JSON.stringify({ replaced: `t${old + 1}`, exit, afterS: Math.round((performance.now() - from) / 1000) }));
}
await Promise.all(viewers.map((viewer) => viewer.waitForSegments(3, 60_000)));
const after = await Promise.all(streamIds.map(async (streamId) => (await fleet.status(streamId))?.sessionId));
const violations = viewers.flatMap((viewer) => viewer.violations);
const playlists = violations.filter((line) => line.includes('playlist'));
const result = {
  streams: streamCount,
  viewers: viewerCount,
  sameSessions: sessions.every((session, index) => session === after[index]),
  longestWithoutNewsS: Math.round(Math.max(...viewers.map(({ longestQuietMs }) => longestQuietMs)) / 100) / 10,
  playlistErrors: playlists.length,
  otherViolations: violations.length - playlists.length,
  examples: [...new Set(violations)].slice(0, 5),
};
console.log(JSON.stringify(result, undefined, 2));
await Promise.all(viewers.map((viewer) => viewer.stop()));
await Promise.race([Promise.all(publishers.map((publisher) => publisher.stop())), sleep(3000)]);
balancer.close();
await fleet.close();
process.exit(violations.length > 0 || !result.sameSessions ? 1 : 0);
