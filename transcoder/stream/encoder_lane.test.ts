import { describe, expect, test } from 'vitest';
import type { Epoch } from '../../contracts/ids.ts';
import type { EncodePlan, SourceDescription } from '../encode/encode_plan.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import { EncoderLane } from './encoder_lane.ts';
import type { LaneOptions } from './encoder_lane.ts';
import { GopBuffer } from './gop_buffer.ts';
import { RestartBudget } from './restart_budget.ts';
import { planEpoch } from './source_policy.ts';
import { DEFAULT_LADDER } from '../encode/ladder_rungs.ts';
import { FakeClock } from './testing/fake_clock.ts';
import { FakeRun } from './testing/fake_run.ts';
import { silentLogger } from './testing/silent_logger.ts';
import { audioFrame, videoFrame } from './testing/tags.ts';

const SOURCE: SourceDescription = {
  video: {
    codec: 'h264',
    width: 640,
    height: 360,
    codecString: 'avc1.64001f',
    passThrough: true,
    frameRate: { numerator: 30, denominator: 1 },
  },
  audio: { codec: 'aac', sampleRate: 48_000, channels: 2 },
};
const SETTINGS = { topRendition: 'copy', rungs: DEFAULT_LADDER, segmentSeconds: 2, partSeconds: 0.5 } as const;

function plan(source: SourceDescription): EncodePlan {
  return planEpoch({ source, settings: SETTINGS, mustEncode: false, only: undefined, promised: undefined });
}

function laneWith(changes: Partial<LaneOptions> = {}) {
  const clock = new FakeClock();
  const runs: FakeRun[] = [];
  const reasons: string[] = [];
  const backlog = new GopBuffer();
  let epoch = 0;
  const lane = new EncoderLane({
    clock,
    logger: silentLogger,
    openRun: (options) => {
      const run = new FakeRun(options, clock.monotonicMs());
      runs.push(run);
      return run;
    },
    budget: new RestartBudget(0),
    claimEpoch: async () => (epoch += 1) as Epoch,
    describe: () => SOURCE,
    plan,
    headers: () => [],
    backlog,
    onLive: () => undefined,
    onGiveUp: (reason) => reasons.push(reason),
    ...changes,
  });
  const key = (timestampMs: number) => {
    const tag = videoFrame(timestampMs, true);
    backlog.begin(tag, clock.wallMs());
    lane.push(tag, true);
  };
  const follow = (timestampMs: number) => {
    const tag = videoFrame(timestampMs, false);
    backlog.append(tag);
    lane.push(tag, false);
  };
  return { clock, runs, reasons, lane, key, follow };
}

describe('EncoderLane', () => {
  test('while the registry is away the publisher waits, and is not given up', async () => {
    let away = true;
    let asked = 0;
    const { clock, runs, reasons, key } = laneWith({
      claimEpoch: async () => {
        asked += 1;
        if (away) throw new Error('unavailable');
        return 7 as Epoch;
      },
    });
    key(0);
    await clock.pass(120_000);
    expect(reasons).toEqual([]);
    expect(asked).toBeGreaterThan(50);
    expect(asked).toBeLessThan(80);
    away = false;
    await clock.pass(2000);
    expect(runs.map((run) => run.epoch)).toEqual([7]);
  });

  test('a stream that another server has is given up at once, with the reason', async () => {
    const { clock, reasons, key } = laneWith({
      claimEpoch: async () => {
        throw new PublishRefused('NetStream.Publish.BadName', 'stream demo is live on another server');
      },
    });
    key(0);
    await clock.pass(10);
    expect(reasons).toEqual(['stream demo is live on another server']);
  });

  test('a claim that is answered after the publisher has gone starts nothing', async () => {
    const { promise, resolve } = Promise.withResolvers<Epoch>();
    const { clock, runs, lane, key } = laneWith({ claimEpoch: () => promise });
    key(0);
    await clock.pass(10);
    await lane.stop();
    resolve(1 as Epoch);
    await clock.pass(60_000);
    expect(runs).toEqual([]);
  });

  test('a new header with every key frame starts few encoders', async () => {
    const { clock, runs, lane, key } = laneWith();
    for (let ms = 0; ms < 60_000; ms += 100) {
      key(ms);
      await clock.pass(100);
      lane.replaceAtKeyFrame('the video header changed');
    }
    expect(runs.length).toBeGreaterThan(10);
    expect(runs.length).toBeLessThanOrEqual(21);
  });

  test('timestamps that alternate start few encoders', async () => {
    const { clock, runs, key } = laneWith();
    for (let ms = 0; ms < 60_000; ms += 100) {
      key(ms % 200 === 0 ? ms : ms + 3_600_000);
      await clock.pass(100);
    }
    expect(runs.length).toBeLessThanOrEqual(21);
  });

  test('sound alone does not hide that no picture is asked for: nothing is killed while none arrives', async () => {
    const { clock, runs, lane, key } = laneWith();
    key(0);
    await clock.pass(10);
    runs[0]?.live();
    for (let ms = 0; ms < 20_000; ms += 100) {
      lane.push(audioFrame(ms), false);
      await clock.pass(100);
      lane.supervise(clock.monotonicMs());
    }
    expect(runs.map((run) => run.killed)).toEqual([false]);
  });

  test('an encoder that gives nothing is replaced from the last key frame on, and given up with the reason', async () => {
    const { clock, runs, reasons, lane, key } = laneWith();
    for (let ms = 0; ms < 60_000 && reasons.length === 0; ms += 100) {
      key(ms);
      await clock.pass(100);
      lane.supervise(clock.monotonicMs());
    }
    expect(runs).toHaveLength(6);
    expect(runs.every((run) => run.killed)).toBe(true);
    expect(reasons).toEqual(['the encoder failed 6 times: FFmpeg gave nothing for 5 s while media arrived']);
  });

  test('why an encoder could not be started is said', async () => {
    const { clock, reasons, lane, key } = laneWith({
      plan: () => {
        throw new Error('audio alone arrived, wanted video too');
      },
    });
    key(0);
    for (let ms = 0; ms < 30_000; ms += 100) {
      await clock.pass(100);
      lane.supervise(clock.monotonicMs());
    }
    expect(reasons).toEqual(['the encoder could not be started: audio alone arrived, wanted video too']);
  });

  test.each([
    ['encode', 1000 + 3000],
    ['copy', undefined],
  ] as const)('what viewers had is not shown again, when all is encoded: %s', async (topRendition, skipUntilMs) => {
    const { clock, runs, lane, key, follow } = laneWith({
      plan: (source) =>
        planEpoch({
          source,
          settings: SETTINGS,
          mustEncode: topRendition === 'encode',
          only: undefined,
          promised: undefined,
        }),
    });
    key(50_000);
    await clock.pass(10);
    runs[0]?.live();
    for (let ms = 50_100; ms <= 53_000; ms += 100) follow(ms);
    runs[0]?.options.onFailure('FFmpeg ended by SIGKILL');
    for (let ms = 53_100; ms <= 54_000; ms += 100) follow(ms);
    await clock.pass(1000);
    expect(runs[1]?.options.skipUntilMs).toBe(skipUntilMs);
    expect(runs[1]?.options.startedAtWallMs).toBe(runs[0]?.options.startedAtWallMs);
    runs[1]?.live();
    key(54_100);
    runs[1]?.options.onFailure('FFmpeg ended by SIGKILL');
    await clock.pass(1000);
    expect(runs[2]?.options.skipUntilMs).toBeUndefined();
    await lane.stop();
  });
});
