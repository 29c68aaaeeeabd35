/**
 * FAULTS row 20: a publisher on a line that carries less than it sends, and on one that loses packets, with hls.js in
 * Chromium watching until the line is good again.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { eventually } from '../one_machine/eventually.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { seededRandom } from '../recording/seeded_random.ts';
import { watchWithPlayer } from './fault_player.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';
import { startPoorUplink } from './poor_uplink.ts';
import type { Line } from './poor_uplink.ts';

const BITRATE = 1_000_000;
const GOOD: Line = { bitrate: Infinity, lossRate: 0 };
/** Carries 70 % of what is sent. */
const SLOW: Line = { bitrate: 0.7 * BITRATE, lossRate: 0 };
/** Stands still for 200 ms, three times in two seconds. */
const LOSSY: Line = { bitrate: 3 * BITRATE, lossRate: 0.04 };
const POOR_FOR_MS = 25_000;

let stage: Stage;
let source: TestSource;
const said: string[] = [];
/** Of each line: how much further behind the clock media was when the line was good again, ms. */
const drifts: number[] = [];

beforeAll(async () => {
  [stage, source] = await Promise.all([
    Stage.open(['slow', 'lossy']),
    makeTestSource({ videoBitrate: BITRATE - 64_000 }),
  ]);
});

afterAll(async () => {
  await stage.close();
});

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How far a segment's PROGRAM-DATE-TIME lies behind the clock when its first part is listed, ms. */
async function delayOf(viewer: CheckingViewer): Promise<number> {
  await viewer.waitForSegments(1, 20_000);
  return Date.now() - (viewer.segments.at(-1)?.programDateTimeMs ?? 0);
}

test.for([
  ['slow', SLOW],
  ['lossy', LOSSY],
] as const)('row 20: a %s uplink', async ([streamId, line], context) => {
  needsFull(context);
  const uplink = await startPoorUplink(stage.machine.ports.rtmp, GOOD, seededRandom(20));
  try {
    const publisher = await stage.publish(streamId, { source, port: uplink.port });
    const viewer = stage.follow(streamId);
    const watching = await watchWithPlayer(`${stage.origin}/${streamId}/live.m3u8`);
    await viewer.waitForSegments(3, 30_000);
    const delayBefore = await delayOf(viewer);
    uplink.line = line;
    const from = performance.now();
    if (streamId === 'slow') {
      await eventually('it is said', POOR_FOR_MS, () =>
        stage.log(streamId).some(({ msg }) => msg.startsWith('the uplink is slow')),
      );
      said.push(seconds(performance.now() - from));
    }
    await after(POOR_FOR_MS - (performance.now() - from));
    uplink.line = GOOD;
    await viewer.waitForSegments(4, 40_000);
    await watching.playsOn(6, 40_000);
    const drift = (await delayOf(viewer)) - delayBefore;
    expect(drift).toBeLessThan(1000);
    drifts.push(Math.max(0, drift));
    expect(publisher.rtmp.isClosed).toBe(false);
    expect(await watching.fatalErrors()).toEqual([]);
    expect(stage.machine.child.exitCode).toBeNull();
    expect(await viewer.verdict()).toEqual([]);
    await watching.close();
  } finally {
    uplink.close();
  }
  if (drifts.length < 2) return;
  await reportFault({
    row: '20',
    measured: `said after ${said.join()}; ${seconds(Math.max(...drifts))} later than before once the line is good again`,
    note: 'a line that carries 70 %, and one that stands still for 200 ms three times in two seconds',
  });
});
