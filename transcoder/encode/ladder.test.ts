import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRenditionName } from '../../contracts/ids.ts';
import type { EncodePlan, FrameRate, SourceDescription } from './encode_plan.ts';
import { deriveLadder, peakBandwidth } from './ladder.ts';
import type { LadderSettings } from './ladder.ts';
import { DEFAULT_LADDER } from './ladder_rungs.ts';

const SETTINGS: LadderSettings = { rungs: DEFAULT_LADDER, top: 'encode', segmentSeconds: 2, partSeconds: 0.5 };
const COPY: LadderSettings = { ...SETTINGS, top: 'copy' };
const RATE_30: FrameRate = { numerator: 30, denominator: 1 };

function source(
  width: number,
  height: number,
  more: { bitrate?: number; passThrough?: boolean } = {},
): SourceDescription {
  return {
    video: {
      codec: 'h264',
      width,
      height,
      codecString: 'avc1.64001f',
      passThrough: more.passThrough ?? true,
      frameRate: RATE_30,
    },
    audio: { codec: 'aac', sampleRate: 48_000, channels: 2 },
    ...(more.bitrate !== undefined && { videoBitrate: more.bitrate }),
  };
}

function shown(plan: EncodePlan): string[] {
  return plan.renditions.map(
    (rendition) =>
      `${rendition.name} ${rendition.resolution?.width}x${rendition.resolution?.height}` +
      (rendition.mode === 'encode' ? '' : ` ${rendition.mode}`),
  );
}

describe('deriveLadder', () => {
  it.each([
    [1280, 720, ['360p 640x360', '480p 854x480', '720p 1280x720']],
    [1920, 1080, ['360p 640x360', '480p 854x480', '720p 1280x720']],
    [3840, 2160, ['360p 640x360', '480p 854x480', '720p 1280x720']],
    [1080, 1920, ['360p 360x640', '480p 480x854', '720p 720x1280']],
    [1366, 768, ['360p 640x360', '480p 854x480', '720p 1280x720']],
    [2560, 1080, ['360p 854x360', '480p 1138x480', '720p 1706x720']],
    [1024, 1024, ['360p 360x360', '480p 480x480', '720p 720x720']],
    [854, 480, ['360p 640x360', '480p 854x480']],
    [960, 540, ['360p 640x360', '480p 854x480']],
    [640, 360, ['360p 640x360']],
    [481, 361, ['360p 480x360']],
    [160, 120, ['120p 160x120']],
    [161, 121, ['120p 160x120']],
    [16, 16, ['16p 16x16']],
  ])('encodes %dx%d as %j', (width, height, wanted) => {
    expect(shown(deriveLadder(source(width, height), SETTINGS))).toEqual(wanted);
  });

  it.each([
    [1280, 720, ['360p 640x360', '480p 854x480', '720p 1280x720 copy']],
    [720, 1280, ['360p 360x640', '480p 480x854', '720p 720x1280 copy']],
    [854, 480, ['360p 640x360', '480p 854x480 copy']],
    [1138, 640, ['360p 640x360', '480p 854x480', '640p 1138x640 copy']],
    [640, 360, ['360p 640x360 copy']],
    [160, 120, ['120p 160x120 copy']],
    [1366, 768, ['360p 640x360', '480p 854x480', '720p 1280x720']],
    [1920, 1080, ['360p 640x360', '480p 854x480', '720p 1280x720']],
  ])('copies %dx%d where it fits: %j', (width, height, wanted) => {
    const plan = deriveLadder(source(width, height), COPY);
    expect(shown(plan)).toEqual(wanted);
    expect(plan.followsSource).toBe(wanted.some((line) => line.endsWith('copy')));
  });

  it('does not copy what browsers cannot play or what is out of proportion', () => {
    expect(deriveLadder(source(1280, 720, { passThrough: false }), COPY).followsSource).toBe(false);
    expect(deriveLadder(source(1280, 720, { bitrate: 6_000_000 }), COPY).followsSource).toBe(false);
    const plan = deriveLadder(source(1280, 720, { bitrate: 3_400_000 }), COPY);
    expect(plan.renditions.at(-1)).toMatchObject({ mode: 'copy', videoBitrate: 3_400_000, maxRate: 5_100_000 });
  });

  it('gives the whole plan', () => {
    const { audio: _audio, ...silent } = source(854, 480);
    expect(deriveLadder(silent, SETTINGS)).toEqual({
      renditions: [
        {
          name: '360p',
          resolution: { width: 640, height: 360 },
          mode: 'encode',
          videoBitrate: 800_000,
          maxRate: 856_000,
          bufferSize: 800_000,
          audioBitrate: 96_000,
        },
        {
          name: '480p',
          resolution: { width: 854, height: 480 },
          mode: 'encode',
          videoBitrate: 1_400_000,
          maxRate: 1_498_000,
          bufferSize: 1_400_000,
          audioBitrate: 128_000,
        },
      ],
      frameRate: RATE_30,
      followsSource: false,
      gopFrames: 60,
      partFrames: 15,
      audioBitrates: [96_000, 128_000],
      hasAudio: false,
    });
  });

  it.each([
    [25, 1, 50, 13],
    [30, 1, 60, 15],
    [30_000, 1001, 60, 15],
    [24_000, 1001, 48, 12],
    [24, 1, 48, 12],
    [50, 1, 100, 25],
    [60, 1, 120, 30],
    [1, 1, 2, 1],
  ])('%d/%d frames per second: %d per segment, %d per part', (numerator, denominator, gopFrames, partFrames) => {
    const { video } = source(640, 360);
    const plan = deriveLadder(video ? { video: { ...video, frameRate: { numerator, denominator } } } : {}, SETTINGS);
    expect(plan).toMatchObject({ gopFrames, partFrames });
  });

  it('makes one rendition of audio alone', () => {
    expect(deriveLadder({ audio: { codec: 'aac', sampleRate: 44_100, channels: 1 } }, SETTINGS)).toEqual({
      renditions: [{ name: 'audio', mode: 'audio', videoBitrate: 0, maxRate: 0, bufferSize: 0, audioBitrate: 128_000 }],
      followsSource: false,
      gopFrames: 94,
      partFrames: 24,
      audioBitrates: [128_000],
      hasAudio: true,
    });
  });

  it('keeps the renditions that a grant names', () => {
    const only = [parseRenditionName('480p')];
    expect(shown(deriveLadder(source(1280, 720), { ...COPY, only }))).toEqual(['480p 854x480']);
    expect(deriveLadder(source(1280, 720), { ...COPY, only })).toMatchObject({
      followsSource: false,
      audioBitrates: [128_000],
    });
    expect(shown(deriveLadder(source(160, 120), { ...COPY, only }))).toEqual(['120p 160x120 copy']);
  });

  it('keeps the names of a running session', () => {
    const names = (...all: string[]) => all.map((name) => parseRenditionName(name));
    const of = (width: number, height: number, top: LadderSettings, ...all: string[]) =>
      shown(deriveLadder(source(width, height), { ...top, sessionNames: names(...all) }));
    expect(of(1138, 640, SETTINGS, '360p', '480p', '640p')).toEqual(['360p 640x360', '480p 854x480', '640p 1138x640']);
    expect(of(854, 480, COPY, '360p', '480p', '720p')).toEqual(['360p 640x360', '480p 854x480 copy']);
    expect(of(1138, 640, COPY, '360p', '480p', '720p')).toEqual(['360p 640x360', '480p 854x480']);
    expect(of(1280, 720, COPY, '480p')).toEqual(['480p 854x480']);
    expect(of(160, 120, COPY, '480p', '360p')).toEqual(['360p 160x120']);
    expect(of(1280, 720, SETTINGS, '120p')).toEqual(['120p 214x120']);
    expect(of(1280, 720, COPY, 'audio')).toEqual(['360p 640x360', '480p 854x480', '720p 1280x720 copy']);
    const plan = deriveLadder(source(1138, 640), { ...SETTINGS, sessionNames: names('640p') });
    expect(plan.renditions[0]).toMatchObject({ videoBitrate: 2_346_547, maxRate: 2_510_805, audioBitrate: 128_000 });
  });

  it('keeps shape, order and limits for any source', () => {
    const side = fc.integer({ min: 16, max: 8192 });
    fc.assert(
      fc.property(side, side, fc.boolean(), (width, height, copy) => {
        const { renditions } = deriveLadder(source(width, height), copy ? COPY : SETTINGS);
        expect(new Set(renditions.map((rendition) => rendition.name)).size).toBe(renditions.length);
        for (const { resolution, mode, bufferSize } of renditions) {
          if (resolution === undefined || mode === 'copy') continue;
          expect(resolution.width % 2).toBe(0);
          expect(resolution.height % 2).toBe(0);
          expect(resolution.width).toBeLessThanOrEqual(width);
          expect(resolution.height).toBeLessThanOrEqual(height);
          expect(bufferSize).toBeGreaterThan(0);
          const exact =
            (Math.max(width, height) / Math.min(width, height)) * Math.min(resolution.width, resolution.height);
          expect(Math.abs(Math.max(resolution.width, resolution.height) - exact)).toBeLessThanOrEqual(
            Math.min(width, height) < 360 ? exact / 8 : 1.001,
          );
        }
      }),
    );
  });
});

describe('peakBandwidth', () => {
  it('is what VBV lets through in a segment, and the audio, and the container', () => {
    expect(peakBandwidth(deriveLadder(source(1280, 720), SETTINGS), 2)).toEqual([1_379_040, 2_372_520, 4_614_480]);
    expect(
      peakBandwidth(deriveLadder({ audio: { codec: 'aac', sampleRate: 48_000, channels: 2 } }, SETTINGS), 2),
    ).toEqual([130_560]);
  });
});
