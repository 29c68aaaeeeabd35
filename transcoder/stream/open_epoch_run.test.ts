import { expect, test, vi } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import type { EncoderOptions } from '../encode/encoder.ts';
import { DEFAULT_ENCODER_SETTINGS } from '../encode/encoder_settings.ts';
import { openEpochRun } from './open_epoch_run.ts';
import { SessionCompanions } from './session_companion.ts';
import { SessionWindow } from './session_window.ts';
import { FakeClock } from './testing/fake_clock.ts';
import { silentLogger } from './testing/silent_logger.ts';

const encoders: EncoderOptions[] = [];
vi.mock('../encode/encoder.ts', () => ({
  startEncoder: (options: EncoderOptions) => {
    encoders.push(options);
    return { pid: 1, write: () => undefined, end: () => undefined, kill: () => undefined };
  },
}));

function open(rendition = '360p') {
  const clock = new FakeClock();
  const window = new SessionWindow({
    streamId: 'demo' as StreamId,
    carryOn: { nextMsn: 1, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    resumed: false,
    segmentSeconds: 2,
    clock,
    companions: new SessionCompanions([], silentLogger),
  });
  const failures: string[] = [];
  const start = (epoch: number, name = rendition) => {
    const run = openEpochRun(
      {
        epoch: epoch as Epoch,
        plan: {
          renditions: [
            {
              name: name as RenditionName,
              mode: 'encode',
              resolution: { width: 640, height: 360 },
              videoBitrate: 1,
              maxRate: 1,
              bufferSize: 1,
              audioBitrate: 96_000,
            },
          ],
          frameRate: { numerator: 30, denominator: 1 },
          followsSource: false,
          gopFrames: 60,
          partFrames: 15,
          audioBitrates: [96_000],
          hasAudio: true,
        },
        source: {},
        startedAtWallMs: 0,
        backlogBytes: 0,
        onFirstOutput: () => undefined,
        onFailure: (reason) => failures.push(reason),
      },
      {
        ffmpeg: 'none',
        encoder: DEFAULT_ENCODER_SETTINGS,
        segmentSeconds: 2,
        targetDuration: () => 2,
        window,
        clock,
        logger: silentLogger,
      },
    );
    const encoder = encoders.at(-1);
    if (encoder === undefined) throw new Error('no encoder was started');
    return { run, outputs: encoder.outputs };
  };
  return { clock, window, failures, start };
}

test('an epoch that cannot be packaged fails alone: nothing is thrown into the pipes', () => {
  const { failures, start } = open();
  start(1).outputs.onVideo(0, Buffer.alloc(3000));
  const other = start(2, '720p');
  other.outputs.onVideo(0, Buffer.alloc(3000));
  expect(failures.at(-1)).toMatch(/could not be packaged: got rendition 720p, wanted one of 360p/);
});

test('the names of the renditions stand as soon as media is packaged, before the codecs are known', () => {
  const { window, start } = open();
  expect(window.renditions).toBeUndefined();
  start(1).outputs.onVideo(0, Buffer.alloc(3000));
  expect(window.shape).toBeUndefined();
  expect(window.renditions).toEqual(['360p']);
});

test('what a killed FFmpeg still had does not come into a session that has ended', () => {
  const { window, failures, start } = open();
  start(1).outputs.onVideo(0, Buffer.alloc(3000));
  failures.length = 0;
  const { run, outputs } = start(2);
  outputs.onVideo(0, Buffer.alloc(1000));
  run.kill();
  window.markEnded();
  outputs.onVideo(0, Buffer.alloc(3000));
  outputs.onExit({ code: null, signal: 'SIGKILL', lastLines: [] });
  expect(failures).toEqual([]);
  expect(window.carryOn().nextMsn).toBe(1);
});

test('sound alone is no progress where there should be a picture', async () => {
  const { clock, start } = open();
  const { run, outputs } = start(1);
  await clock.pass(4000);
  outputs.onAudio(0, Buffer.alloc(3000));
  expect(run.lastOutputAtMs).toBe(0);
  outputs.onVideo(0, Buffer.alloc(100));
  expect(run.lastOutputAtMs).toBe(4000);
});
