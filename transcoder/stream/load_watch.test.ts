import { describe, expect, test } from 'vitest';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan, RenditionPlan } from '../encode/encode_plan.ts';
import { LoadWatch } from './load_watch.ts';
import { FakeRun } from './testing/fake_run.ts';
import { silentLogger } from './testing/silent_logger.ts';

function rendition(name: string, height: number, mode: RenditionPlan['mode'] = 'encode'): RenditionPlan {
  return {
    name: name as RenditionName,
    resolution: { width: height * 2, height },
    mode,
    videoBitrate: height * 1000,
    maxRate: height * 1000,
    bufferSize: height * 1000,
    audioBitrate: height > 400 ? 128_000 : 96_000,
  };
}

const PLAN: EncodePlan = {
  renditions: [rendition('360p', 360), rendition('480p', 480), rendition('720p', 720, 'copy')],
  frameRate: { numerator: 30, denominator: 1 },
  followsSource: true,
  gopFrames: 60,
  partFrames: 15,
  hasAudio: true,
  audioBitrates: [96_000, 128_000],
};

function start(plan = PLAN) {
  const told: string[] = [];
  let roomy = true;
  const watch = new LoadWatch({
    logger: silentLogger,
    notify: (type, { rendition: name }) => told.push(`${type} ${String(name)}`),
    isRoomy: () => roomy,
  });
  let nowMs = 0;
  let run = makeRun(watch.fit(plan));
  /** Looks ten times a second; a new plan gets a new run. */
  const pass = (ms: number, lagMs: number): void => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 100) {
      run.lagMs = lagMs;
      if (watch.look(run, nowMs) !== undefined) run = makeRun(watch.fit(plan));
    }
  };
  const made = (): string[] => run.plan.renditions.map(({ name }) => name);
  return { watch, told, pass, made, plan: () => run.plan, setRoomy: (is: boolean) => (roomy = is) };
}

function makeRun(plan: EncodePlan): FakeRun {
  return new FakeRun(
    {
      epoch: 1 as Epoch,
      plan,
      source: {},
      startedAtWallMs: 0,
      backlogBytes: 0,
      onFirstOutput: () => undefined,
      onFailure: () => undefined,
    },
    0,
  );
}

describe('a stream whose FFmpeg', () => {
  test('keeps up is left alone, also when it lags for a moment', () => {
    const { told, pass, watch } = start();
    for (let round = 0; round < 20; round += 1) {
      pass(2000, 4000);
      pass(2000, 100);
    }
    expect(told).toEqual([]);
    expect(watch.isStrained).toBe(false);
  });

  test('falls behind loses its most expensive encoded rendition first, and never all of them', () => {
    const { told, pass, made, plan, watch } = start();
    pass(9000, 4000);
    expect(made()).toEqual(['360p', '720p']);
    expect(watch.isStrained).toBe(true);
    pass(60_000, 4000);
    expect(made()).toEqual(['720p']);
    expect(told).toEqual(['rendition.shed 480p', 'rendition.shed 360p']);
    expect(plan()).toMatchObject({ followsSource: true, audioBitrates: [128_000] });
  });

  test('keeps the cheapest one where all are encoded', () => {
    const encoded = PLAN.renditions.map((one) => ({ ...one, mode: 'encode' as const }));
    const { pass, made } = start({ ...PLAN, renditions: encoded, followsSource: false });
    pass(120_000, 4000);
    expect(made()).toEqual(['360p']);
  });

  test('has recovered gets them back one after the other, once there is room', () => {
    const { told, pass, made, setRoomy, watch } = start();
    pass(30_000, 4000);
    setRoomy(false);
    pass(300_000, 0);
    expect(made()).toEqual(['720p']);
    setRoomy(true);
    pass(1000, 0);
    expect(made()).toEqual(['360p', '720p']);
    pass(60_000, 0);
    expect(made()).toEqual(['360p', '720p']);
    pass(61_000, 0);
    expect(made()).toEqual(['360p', '480p', '720p']);
    expect(told.slice(2)).toEqual(['rendition.restored 360p', 'rendition.restored 480p']);
    expect(watch.isStrained).toBe(false);
  });
});
