/**
 * FAULTS of a fleet: servers that are killed and drained, publishers that come back elsewhere, a registry that is down,
 * slow, emptied, wrong. Each program is a process of its own; hls.js in Chromium watches through the edge.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { Fleet, keyOf } from '../fleet/fleet.ts';
import type { FleetOptions } from '../fleet/fleet.ts';
import { withoutLostMedia } from '../fleet/lost_media.ts';
import { eventually } from '../one_machine/eventually.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { startBalancer } from './balancer.ts';
import type { Balancer } from './balancer.ts';
import { watchWithPlayer } from './fault_player.ts';
import type { FaultPlayer } from './fault_player.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';
import { RetryingPublisher } from '../fleet/retrying_publisher.ts';

let source: TestSource;
let fleet: Fleet | undefined;
let balancer: Balancer | undefined;
let player: FaultPlayer | undefined;
let stubborn: RetryingPublisher | undefined;

beforeAll(async () => {
  source = await makeTestSource();
});

afterEach(async () => {
  await player?.close();
  const stopping = stubborn?.stop();
  balancer?.close();
  await stopping;
  await fleet?.close();
  [fleet, balancer, player, stubborn] = [undefined, undefined, undefined, undefined];
});

async function startFleet(options: Partial<FleetOptions> = {}): Promise<Fleet> {
  fleet = await Fleet.start({ streamIds: ['show', 'other'], transcoders: 2, ...options });
  return fleet;
}

/** Behind a balancer, with a publisher that comes back by itself and a player that plays. */
async function startShow(options: Partial<FleetOptions> = {}) {
  const running = await startFleet(options);
  const ports = running.transcoders.map((_, index) => running.rtmpPort(index));
  balancer = await startBalancer(ports);
  stubborn = new RetryingPublisher({ ports: [balancer.port], key: keyOf('show'), source });
  const viewer = running.follow('show', '180p', true);
  // hls.js gives up on a playlist that is not there yet.
  await viewer.waitForSegments(1, 40_000);
  player = await watchWithPlayer(`${running.origin}/show/live.m3u8`);
  const serving = ports.indexOf(balancer.targets().at(-1) ?? 0);
  return { fleet: running, balancer, publisher: stubborn, viewer, player, serving, ports };
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('row 11: kill -9 the serving transcoder', async () => {
  const show = await startShow();
  const before = await show.fleet.status('show');
  await show.fleet.transcoder(show.serving).stop('SIGKILL');
  await show.viewer.waitFor('another epoch', 40_000, () => (show.viewer.epochs[1]?.segments.length ?? 0) >= 3);
  await show.player.playsOn(5, 40_000);
  const stalled = await show.player.stalledMs();
  expect(stalled).toBeLessThanOrEqual(15_000);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(withoutLostMedia(show.viewer.violations, show.viewer)).toEqual([]);
  expect((await show.fleet.status('show'))?.sessionId).toBe(before?.sessionId);
  await reportFault({ row: '11', measured: `stall ${seconds(stalled)}` });
});

test('row 13: the publisher is reset and comes back on another server', async () => {
  const show = await startShow();
  const before = await show.fleet.status('show');
  show.balancer.aim([show.ports[1 - show.serving] ?? 0]);
  await show.publisher.reset();
  await show.viewer.waitFor('another epoch', 40_000, () => (show.viewer.epochs[1]?.segments.length ?? 0) >= 3);
  await show.player.playsOn(5, 40_000);
  const stalled = await show.player.stalledMs();
  expect(stalled).toBeLessThanOrEqual(12_000);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(show.viewer.violations).toEqual([]);
  expect((await show.fleet.status('show'))?.sessionId).toBe(before?.sessionId);
  await reportFault({ row: '13', measured: `stall ${seconds(stalled)}` });
});

test('row 22: SIGTERM to a transcoder with live streams', async () => {
  const show = await startShow();
  const leaving = show.fleet.transcoder(show.serving);
  const from = performance.now();
  leaving.child.kill('SIGTERM');
  await show.viewer.waitFor('another epoch', 60_000, () => (show.viewer.epochs[1]?.segments.length ?? 0) >= 3);
  const handedOver = performance.now() - from;
  await show.player.playsOn(5, 40_000);
  const stalled = await show.player.stalledMs();
  expect(handedOver).toBeLessThanOrEqual(45_000 + 15_000);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(show.viewer.violations).toEqual([]);
  const exit = await leaving.exited;
  const gone = performance.now() - from;
  expect(exit).toBe(0);
  expect(gone).toBeLessThanOrEqual(110_000);
  await reportFault({
    row: '22',
    measured: `handed over and playing after ${seconds(handedOver)}, gone after ${seconds(gone)}, stall ${seconds(stalled)}`,
  });
}, 180_000);

test('row 32: Redis is down', async (context) => {
  needsFull(context);
  const show = await startShow();
  await show.fleet.redis.stop();
  const from = performance.now();
  await after(60_000);
  const errors = show.viewer.violations;
  expect(errors).toEqual([]);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(await show.player.stalledMs()).toBeLessThan(2000);
  const refusedFrom = performance.now();
  const refusal = await PacedPublisher.start({ port: show.ports[0] ?? 0, key: keyOf('other'), source }).catch(
    (error: unknown) => (error instanceof Error ? error.message : 'no error'),
  );
  expect(refusal).toMatch(/NetStream\.Publish/);
  const refused = performance.now() - refusedFrom;
  await reportFault({
    row: '32',
    measured: `0 viewer errors in ${seconds(performance.now() - from)}; a new stream refused after ${seconds(refused)}`,
  });
}, 180_000);

test('row 33: Redis answers after 2 s', async (context) => {
  needsFull(context);
  const show = await startShow();
  const took: number[] = [];
  const slowly = setInterval(() => void show.fleet.redis.nodes[0]?.call('CLIENT', 'PAUSE', '2000', 'ALL'), 2100);
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    const from = performance.now();
    const reply = await fetch(`${show.fleet.origin}/show/live.m3u8`);
    await reply.arrayBuffer();
    expect(reply.status).toBe(200);
    took.push(performance.now() - from);
    await after(50);
  }
  clearInterval(slowly);
  const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? 0;
  expect(p99).toBeLessThanOrEqual(500);
  expect(show.viewer.violations).toEqual([]);
  await reportFault({ row: '33', measured: `p99 ${Math.round(p99)} ms` });
}, 120_000);

test('row 34: FLUSHALL', async () => {
  const show = await startShow();
  const lastMsn = show.viewer.lastMsn ?? 0;
  const before = await show.fleet.status('show');
  await show.fleet.redis.nodes[0]?.flushall();
  const from = performance.now();
  // The record is there again, told by what the edge's own look-up finds.
  await eventually('the record is rebuilt', 15_000, async () => {
    const keys = await show.fleet.redis.nodes[0]?.keys('hw:{show}:record');
    return keys !== undefined && keys.length > 0;
  });
  const rebuilt = performance.now() - from;
  expect(rebuilt).toBeLessThanOrEqual(6000);
  const second = PacedPublisher.start({ port: show.ports[1 - show.serving] ?? 0, key: keyOf('show'), source });
  await expect(second).rejects.toThrow(/already live/);
  await show.player.playsOn(5, 30_000);
  expect(show.publisher.accepted).toBe(1);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(await show.player.stalledMs()).toBeLessThan(2000);
  // The next epoch and the next numbers lie above those of before.
  await show.publisher.reset();
  await show.viewer.waitFor('another epoch', 30_000, () => (show.viewer.epochs[1]?.segments.length ?? 0) >= 2);
  const epochs = show.viewer.epochs.map(({ map }) => Number(/\/([0-9]+)\/[^/]+\/init\.mp4/.exec(map)?.[1]));
  expect(epochs[1]).toBeGreaterThan(epochs[0] ?? Infinity);
  expect(show.viewer.lastMsn).toBeGreaterThan(lastMsn);
  expect((await show.fleet.status('show'))?.sessionId).toBe(before?.sessionId);
  expect(show.viewer.violations).toEqual([]);
  await reportFault({ row: '34', measured: `rebuilt after ${seconds(rebuilt)}` });
});

test('row 34b: the control plane is away for 2 minutes', async (context) => {
  needsFull(context);
  const show = await startShow();
  const before = await show.fleet.status('show');
  process.kill(show.fleet.functions.pid, 'SIGSTOP');
  await after(120_000);
  expect(show.viewer.violations).toEqual([]);
  process.kill(show.fleet.functions.pid, 'SIGCONT');
  await after(10_000);
  await show.player.playsOn(3, 20_000);
  expect(show.viewer.violations).toEqual([]);
  expect(show.publisher.accepted).toBe(1);
  expect(await show.player.fatalErrors()).toEqual([]);
  expect(await show.fleet.status('show')).toMatchObject({ live: true, sessionId: before?.sessionId });
  await reportFault({ row: '34b', measured: `0 viewer errors, stall ${seconds(await show.player.stalledMs())}` });
}, 240_000);

test('row 35: the registry points at a dead server', async () => {
  const show = await startShow();
  // Nobody takes the publisher: the record goes on naming the dead one.
  await Promise.all(show.fleet.transcoders.map((program) => program.stop('SIGKILL')));
  await after(3000);
  const playlist = await fetch(`${show.fleet.origin}/show/180p/index.m3u8`);
  expect(playlist.status).toBe(200);
  const text = await playlist.text();
  expect(text).not.toContain('#EXT-X-ENDLIST');
  const uri = /([0-9]+\/180p\/)([0-9]+)\.m4s/.exec(text);
  const missing = await fetch(`${show.fleet.origin}/show/${uri?.[1]}${Number(uri?.[2]) + 900}.m4s`);
  await missing.arrayBuffer();
  expect([404, 503]).toContain(missing.status);
  expect(missing.headers.get('cache-control')).toMatch(/no-store|max-age=[01]\b/);
  await show.fleet.addTranscoder('t9');
  const from = performance.now();
  show.balancer.aim([show.fleet.rtmpPort(2)]);
  await show.viewer.waitFor('another epoch', 40_000, () => (show.viewer.epochs[1]?.segments.length ?? 0) >= 1);
  const published = show.fleet.logged(2, 'media is out').length;
  expect(published).toBeGreaterThan(0);
  const healed = performance.now() - from;
  expect(show.viewer.violations.filter((line) => line.includes('playlist'))).toEqual([]);
  await reportFault({
    row: '35',
    measured: `heals ${seconds(healed)} after the new server is there`,
    note: "the publisher's pauses included",
  });
});

test('row 36: a record whose address lies outside the allowed ranges', async () => {
  const running = await startFleet({ transcoders: 1, edgeEnv: { HW_UPSTREAM_ALLOW: '127.0.0.0/8' } });
  let requests = 0;
  const trap = createServer((_, response) => {
    requests += 1;
    response.end('#EXTM3U');
  });
  await new Promise<void>((resolve) => trap.listen(0, '::1', resolve));
  const { port } = trap.address() as AddressInfo;
  await PacedPublisher.start({ port: running.rtmpPort(0), key: keyOf('show'), source });
  const viewer = running.follow('show');
  await viewer.waitForSegments(2, 20_000);
  await viewer.stop();
  const redis = running.redis.nodes[0];
  const record = JSON.parse((await redis?.get('hw:{show}:record')) ?? '{}') as Record<string, unknown>;
  for (const address of [`http://[::1]:${port}`, `http://169.254.169.254`, `http://example.com:${port}`]) {
    const wrong = { ...record, streamId: 'other', address: { private: address } };
    await redis?.set('hw:{other}:record', JSON.stringify(wrong));
    await after(1100);
    const reply = await fetch(`${running.origin}/other/live.m3u8`);
    await reply.arrayBuffer();
    expect([404, 503]).toContain(reply.status);
  }
  trap.close();
  expect(requests).toBe(0);
  await reportFault({ row: '36', measured: `${requests} requests` });
});
