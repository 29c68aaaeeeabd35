import { expect, test } from 'vitest';
import { transcodeArguments } from './transcode_arguments.ts';
import { DEFAULT_TRANSCODE, parseTranscodeSettings } from './transcode_settings.ts';

test("the default is Twitch's", () => {
  expect(parseTranscodeSettings('720p30:3500k:160k')).toEqual(DEFAULT_TRANSCODE);
  expect(parseTranscodeSettings('1080p60:6M:160000')).toEqual({
    shortSide: 1080,
    frameRate: 60,
    videoBitrate: 6_000_000,
    audioBitrate: 160_000,
  });
});

test.each([
  '',
  '720p',
  '720p30',
  '720p30:3500k',
  '721p30:3500k:160k',
  '720p0:3500k:160k',
  '720p30:1k:160k',
  '720p30:-1:1',
])('an operator is told of %j', (text) => {
  expect(() => parseTranscodeSettings(text)).toThrow(/^wanted .+$/);
});

test('a source that is slower keeps its rate, and every output has the whitelist', () => {
  const video = {
    codec: 'h264',
    width: 1280,
    height: 720,
    codecString: 'avc1.64001f',
    passThrough: true,
    frameRate: { numerator: 25, denominator: 1 },
  } as const;
  const args = transcodeArguments({ video }, DEFAULT_TRANSCODE);
  expect(args.join(' ')).toContain('fps=25/1,');
  expect(args.join(' ')).toContain('-g 50 ');
  expect(args).toContain('-an');
  expect(args.filter((argument) => argument === '-protocol_whitelist')).toHaveLength(2);
  expect(args.slice(args.indexOf('-i') + 1).lastIndexOf('-protocol_whitelist')).toBe(
    args.length - args.indexOf('-i') - 4,
  );
});
