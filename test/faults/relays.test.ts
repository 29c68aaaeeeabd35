/**
 * FAULTS row 44: relay targets that refuse, hang, drop and go away, while a viewer watches the stream and a good target
 * records what it gets.
 */
import { afterEach, expect, test } from 'vitest';
import { cleanUp, start } from '../ingest/ingest_fixture.ts';
import { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startFreezingProxy } from '../one_machine/freezing_proxy.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { startPublishHook } from '../relays/publish_hook.ts';
import { OddTarget } from '../relays/relay_stage.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';

const FAULTY = ['refuses', 'hangs', 'drops', 'goes-away'];
const WATCHED_MS = 25_000;
/** transcoder/relay/relay_pause.ts: doubled each time, and at most halved by chance. */
const SHORTEST_PAUSE_MS = 500;

afterEach(async () => {
  await cleanUp();
});

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('row 44: relay targets refuse, hang, drop and go away', async (context) => {
  needsFull(context);
  const droppedAtMs: number[] = [];
  const [good, goesAway, hanging, dropping, source] = await Promise.all([
    start({ monotonicMs: () => performance.now() }),
    start({ monotonicMs: () => performance.now() }),
    OddTarget.listen(() => undefined),
    OddTarget.listen((socket) => {
      droppedAtMs.push(performance.now());
      socket.destroy();
    }),
    makeTestSource(),
  ]);
  const route = await startFreezingProxy(goesAway.port);
  const hook = await startPublishHook('relayed', [
    { name: 'good', url: `rtmp://127.0.0.1:${good.port}/live/key-of-the-good-target` },
    { name: 'refuses', url: 'rtmp://127.0.0.1:1/live/key-of-an-odd-target' },
    { name: 'hangs', url: hanging.url },
    { name: 'drops', url: dropping.url },
    { name: 'goes-away', url: `rtmp://127.0.0.1:${route.port}/live/key-of-an-odd-target` },
  ]);
  const machine = await startMachine({ ...hook.env, HW_RELAY_ALLOW_PRIVATE: '1' });
  try {
    await PacedPublisher.start({ port: machine.ports.rtmp, key: 'any-publisher-key', source });
    const viewer = CheckingViewer.follow({
      origin: `http://127.0.0.1:${machine.ports.edge}`,
      streamId: 'relayed',
      rendition: '180p',
    });
    await viewer.waitForSegments(2, 30_000);
    const received = await eventually('both take media', 10_000, () =>
      goesAway.streams[0] === undefined ? undefined : good.streams[0],
    );
    viewer.resetClocks();
    route.close();
    await after(WATCHED_MS);
    const stalled = viewer.longestWithoutSegmentMs;
    expect(await viewer.verdict()).toEqual([]);
    expect(stalled).toBeLessThan(4000);
    for (const name of FAULTY) expect(machine.log()).toContain(`"relay":"${name}"`);
    const pauses = droppedAtMs.slice(1).map((at, index) => at - (droppedAtMs[index] ?? 0));
    expect(pauses.length).toBeGreaterThanOrEqual(3);
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(SHORTEST_PAUSE_MS * 2 ** index - 50);
    }
    expect(good.streams).toHaveLength(1);
    const times = received.tags.flatMap(({ kind, timestampMs }) => (kind === 'video' ? [timestampMs] : []));
    const steps = times.slice(2).map((time, index) => time - (times[index + 1] ?? 0));
    // 30 frames a second: one that is missing would be a step of 66 ms.
    expect(Math.max(...steps)).toBeLessThan(60);
    expect(times.length).toBeGreaterThan((WATCHED_MS / 1000) * 30 - 30);
    await reportFault({
      row: '44',
      measured: `tried ${droppedAtMs.length} times in ${seconds(WATCHED_MS)}, pauses growing; the good one lost 0 frames`,
      note: `viewers got a segment every ${seconds(stalled)} at most`,
    });
  } finally {
    await machine.stop();
    hook.close();
    route.close();
    hanging.close();
    dropping.close();
  }
});
