import { describe, expect, test } from 'vitest';
import type { RenditionName } from '../../contracts/ids.ts';
import type { SourceDescription } from '../encode/encode_plan.ts';
import { DEFAULT_LADDER } from '../encode/ladder_rungs.ts';
import { judgeSource, planEpoch } from './source_policy.ts';
import type { SourceMeasures } from './source_policy.ts';

const settings = { topRendition: 'copy', rungs: DEFAULT_LADDER, segmentSeconds: 2, partSeconds: 0.5 } as const;
const nothing: SourceMeasures = {
  longestGopMs: 0,
  declaredGopFrames: undefined,
  bitrate: undefined,
  memory: undefined,
};

function source(width: number, height: number, audio = true): SourceDescription {
  return {
    video: {
      codec: 'h264',
      width,
      height,
      codecString: 'avc1.64001f',
      passThrough: true,
      frameRate: { numerator: 30, denominator: 1 },
    },
    ...(audio ? { audio: { codec: 'aac', sampleRate: 48_000, channels: 2 } } : {}),
    videoBitrate: 2_500_000,
  };
}

describe('judgeSource', () => {
  const judge = (measures: Partial<SourceMeasures>, targetDuration?: number) =>
    judgeSource({ ...nothing, ...measures }, source(1280, 720), settings, targetDuration);

  test('an unknown source is passed through', () => {
    expect(judge({})).toMatchObject({ mustEncode: false, targetDuration: 2 });
  });

  test.each([
    [60, false, 2],
    [73, false, 2],
    [90, false, 3],
    [120, false, 4],
    [250, true, 2],
    [Number.POSITIVE_INFINITY, true, 2],
  ])('x264 says keyint=%i', (declaredGopFrames, mustEncode, targetDuration) => {
    expect(judge({ declaredGopFrames })).toMatchObject({ mustEncode, targetDuration });
  });

  test('what was remembered counts, unless the encoder says otherwise', () => {
    const memory = { longestGopMs: 8333, peakBitrate: 0 };
    expect(judge({ memory }).mustEncode).toBe(true);
    expect(judge({ memory, declaredGopFrames: 60 }).mustEncode).toBe(false);
  });

  test('a GOP that the running session cannot hold is encoded, with the reason', () => {
    expect(judge({ longestGopMs: 2600 }, 2)).toMatchObject({
      mustEncode: true,
      reason: 'key frames 2.6 s apart, wanted at most 2 s',
    });
    expect(judge({ longestGopMs: 2400 }, 2).mustEncode).toBe(false);
  });
});

describe('planEpoch', () => {
  const names = (...list: string[]) => list as RenditionName[];
  const plan = (description: SourceDescription, promised?: readonly RenditionName[], mustEncode = false) =>
    planEpoch({ source: description, settings, mustEncode, only: undefined, promised }).renditions.map(
      ({ name, mode, resolution }) => `${name} ${mode} ${resolution?.width}x${resolution?.height}`,
    );

  test('the first epoch takes what the ladder gives', () => {
    expect(plan(source(1280, 720))).toEqual(['360p encode 640x360', '480p encode 854x480', '720p copy 1280x720']);
    expect(plan(source(1280, 720), undefined, true).at(-1)).toBe('720p encode 1280x720');
  });

  test('a smaller source keeps the names', () => {
    expect(plan(source(640, 360), names('360p', '480p', '720p'))).toEqual([
      '360p encode 640x360',
      '480p encode 640x360',
      '720p encode 640x360',
    ]);
  });

  test('a larger source is not passed through under a name that nobody knows', () => {
    expect(plan(source(1280, 720), names('360p'))).toEqual(['360p encode 640x360']);
  });

  test('video that goes missing is said', () => {
    const { audio } = source(1, 1);
    expect(() => plan(audio === undefined ? {} : { audio }, names('360p'))).toThrow('audio alone arrived');
  });

  test('a picture that comes late into a session of sound alone changes nothing', () => {
    const late = planEpoch({
      source: source(1280, 720),
      settings,
      mustEncode: false,
      only: undefined,
      promised: names('audio'),
    });
    expect(late.renditions.map(({ name, mode }) => [name, mode])).toEqual([['audio', 'audio']]);
    expect(late.frameRate).toBeUndefined();
    expect(late.followsSource).toBe(false);
  });

  test('sound that goes missing is said', () => {
    expect(() => plan(source(1280, 720, false), names('audio'))).toThrow('video alone arrived');
  });
});
