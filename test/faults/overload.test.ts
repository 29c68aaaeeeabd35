/**
 * FAULTS row 5: streams that all have to be encoded come one after the other to a server that was told no number. It
 * refuses the one that would be too many while those that run keep the pace of the clock, and keep all their renditions.
 */
import { afterEach, expect, test } from 'vitest';
import { createCpuTimes } from '../../transcoder/cpu_times.ts';
import type { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { reportFault, seconds } from './fault_report.ts';
import { needsFull } from '../layers/needs_full.ts';

const STREAMS = Array.from({ length: 16 }, (_, index) => `show-${index}`);
/** The load is measured over ten seconds. */
const SETTLE_MS = 12_000;
/** Above this share others use the CPU, and would take it from streams that are let in. */
const BUSY_SHARE = 0.4;
/** How long those that run are watched after the refusal. */
const WATCHED_MS = 15_000;

let stage: Stage | undefined;

afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The share of the CPU that is in use, over two seconds. */
async function busyShare(): Promise<number> {
  const cpuTimes = createCpuTimes();
  const first = cpuTimes();
  await after(2000);
  const last = cpuTimes();
  return (last.busyMs - first.busyMs) / (last.totalMs - first.totalMs);
}

/** How far a segment's PROGRAM-DATE-TIME lies behind the clock when its first part is listed, ms. */
async function delayOf(viewer: CheckingViewer): Promise<number> {
  await viewer.waitForSegments(1, 20_000);
  return Date.now() - (viewer.segments.at(-1)?.programDateTimeMs ?? 0);
}

test('row 5: CPU short', async (context) => {
  needsFull(context);
  if ((await busyShare()) > BUSY_SHARE) context.skip('needs a machine that does nothing else');
  stage = await Stage.open(STREAMS, { HW_MAX_STREAMS: '0' });
  // Key frames that lie apart too far: nothing can be copied.
  const source = await makeTestSource({ size: '854x480', gopSeconds: 5 });
  const running: { readonly viewer: CheckingViewer; readonly delayMs: number }[] = [];
  let refusal = '';
  for (const streamId of STREAMS) {
    try {
      await stage.publish(streamId, { source });
    } catch (error) {
      if (!(error instanceof RtmpRefused)) throw error;
      refusal = error.message;
      break;
    }
    const viewer = stage.follow(streamId, '360p');
    await viewer.waitForSegments(2, 30_000);
    running.push({ viewer, delayMs: await delayOf(viewer) });
    await after(SETTLE_MS);
  }
  expect(refusal).toMatch(/this server is full/);
  expect(running.length).toBeGreaterThanOrEqual(2);
  await after(WATCHED_MS);
  const drifts = await Promise.all(running.map(async ({ viewer, delayMs }) => (await delayOf(viewer)) - delayMs));
  const drift = Math.max(0, ...drifts);
  expect(drift).toBeLessThan(2000);
  const lines = stage.machine.log().split('\n');
  expect(lines.filter((line) => line.includes('a rendition is left out'))).toEqual([]);
  for (const { viewer } of running) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.epochs).toHaveLength(1);
  }
  await reportFault({
    row: '5',
    measured: `stream ${running.length + 1} refused; running ones ${seconds(drift)} later than before, no rendition left out`,
    note: refusal.replace(/^.*this server is full: |, and no other.*$/g, ''),
  });
}, 300_000);
