/**
 * The encoder with a real FFmpeg: what comes out of the pipes for the sources that people send.
 */
import { describe, expect, it } from 'vitest';
import { framesPerSecond } from '../../transcoder/encode/frame_rate.ts';
import { OUTPUT_OFFSET_SECONDS } from '../../transcoder/encode/ffmpeg_arguments.ts';
import { encodeTags, FIRST_KEY_FRAME_MS, makeSource } from './encode_source.ts';
import type { EncodeResult } from './encode_source.ts';
import type { Track } from './fragment_reader.ts';

const START_SECONDS = OUTPUT_OFFSET_SECONDS + FIRST_KEY_FRAME_MS / 1000;
const MILLISECOND = 0.001;
const SILENCE = 'anullsrc=r=48000:cl=stereo';

function picture(size: string, rate: string, seconds: number): string[] {
  return ['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${rate}:d=${seconds}`];
}

function h264(rate: number, extra: readonly string[] = []): string[] {
  return [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-tune',
    'zerolatency',
    '-pix_fmt',
    'yuv420p',
    '-g',
    String(rate * 2),
    ...extra,
  ];
}

const AAC = ['-c:a', 'aac', '-b:a', '96k'];

function sound(source: string, seconds: number): string[] {
  return ['-f', 'lavfi', '-t', String(seconds), '-i', source];
}

function presentationSeconds(track: Track): number[] {
  return track.samples.map((sample) => sample.presentationTime / track.timescale).toSorted((a, b) => a - b);
}

function keySeconds(track: Track): number[] {
  return track.samples.filter((sample) => sample.key).map((sample) => sample.presentationTime / track.timescale);
}

function sizes(result: EncodeResult): string[] {
  return result.video.map((track) => `${track.width}x${track.height}`);
}

/** Every rendition begins with the source, has even intervals, and key frames at the same times on the segment grid. */
function expectEvenFrames(result: EncodeResult): void {
  const rate = framesPerSecond(result.plan.frameRate ?? { numerator: 0, denominator: 1 });
  for (const track of result.video) {
    expect(track.timescale).toBe(90_000);
    const times = presentationSeconds(track);
    expect(Math.abs((times[0] ?? 0) - START_SECONDS)).toBeLessThan(0.5 / rate + MILLISECOND);
    for (const [index, time] of times.entries()) {
      expect(Math.abs(time - ((times[0] ?? 0) + index / rate))).toBeLessThan(2 / track.timescale);
    }
    const keys = keySeconds(track);
    for (const [index, key] of keys.entries()) {
      expect(Math.abs(key - ((times[0] ?? 0) + (index * result.plan.gopFrames) / rate))).toBeLessThan(MILLISECOND);
    }
    expect(keys).toEqual(keySeconds(result.video[0] as Track));
    expectFragments(track, result.plan.partFrames);
  }
}

/** One fragment per part: full ones up to the last before a key frame. */
function expectFragments(track: Track, partFrames: number): void {
  const counts = new Map<number, number>();
  for (const sample of track.samples) counts.set(sample.fragment, (counts.get(sample.fragment) ?? 0) + 1);
  for (const count of counts.values()) expect(count).toBeLessThanOrEqual(partFrames);
  expect(counts.get(0)).toBe(partFrames);
}

function expectEvenSound(result: EncodeResult): void {
  expect(result.audio.length).toBe(result.plan.audioBitrates.length);
  for (const track of result.audio) {
    expect(track.sampleEntry).toBe('mp4a');
    expect(track.timescale).toBe(48_000);
    for (const [index, sample] of track.samples.entries()) {
      expect(sample.decodeTime).toBe((track.samples[0]?.decodeTime ?? 0) + index * 1024);
    }
  }
}

describe('picture sizes', () => {
  it.each([
    ['1080x1920', ['360x640', '480x854', '720x1280']],
    ['1366x768', ['640x360', '854x480', '1280x720']],
    ['854x480', ['640x360', '854x480']],
    ['2560x1080', ['854x360', '1138x480', '1706x720']],
    ['640x360', ['640x360']],
    ['160x120', ['160x120']],
  ])('%s gives %j', async (size, wanted) => {
    const tags = makeSource([...picture(size, '30', 2.5), ...sound(SILENCE, 2.5), ...h264(30), ...AAC]);
    const result = await encodeTags(tags);
    expect(result.exit).toEqual({ code: 0, signal: null, lastLines: [] });
    expect(sizes(result)).toEqual(wanted);
    expectEvenFrames(result);
    expectEvenSound(result);
    expect(result.posters.length).toBe(1);
  });

  it('takes odd sizes in 4:4:4 with 10 bits', async () => {
    const tags = makeSource([
      ...picture('481x361', '25', 2),
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv444p10le',
      '-g',
      '50',
    ]);
    const result = await encodeTags(tags, { top: 'copy' });
    expect(result.source.video?.passThrough).toBe(false);
    expect(result.exit.code).toBe(0);
    expect(sizes(result)).toEqual(['480x360']);
  });
});

describe('frame rates', () => {
  it.each([
    ['24', 24, 1],
    ['25', 25, 1],
    ['30000/1001', 30_000, 1001],
    ['30', 30, 1],
    ['50', 50, 1],
    ['60000/1001', 60_000, 1001],
    ['60', 60, 1],
  ])('%s', async (rate, numerator, denominator) => {
    const tags = makeSource([...picture('640x480', rate, 4.2), ...sound(SILENCE, 4.2), ...h264(60), ...AAC]);
    const result = await encodeTags(tags);
    expect(result.plan.frameRate).toEqual({ numerator, denominator });
    expect(result.video.length).toBe(2);
    expectEvenFrames(result);
    expect(keySeconds(result.video[0] as Track).length).toBe(3);
  });

  it('makes a variable rate constant', async () => {
    const drop = ['-vf', "select='not(between(mod(n,10),3,6))'", '-fps_mode', 'passthrough'];
    const tags = makeSource([...picture('640x360', '30', 4), ...sound(SILENCE, 4), ...h264(30, drop), ...AAC]);
    const result = await encodeTags(tags);
    expect(result.plan.frameRate).toEqual({ numerator: 30, denominator: 1 });
    expectEvenFrames(result);
    expect(Math.abs((result.video[0]?.samples.length ?? 0) - 120)).toBeLessThanOrEqual(4);
  });
});

describe('sound', () => {
  it.each([
    ['mono 44.1 kHz', 'sine=r=44100', ['-ac', '1']],
    ['stereo 44.1 kHz', 'sine=r=44100', ['-ac', '2']],
    ['mono 48 kHz', 'sine=r=48000', ['-ac', '1']],
    ['stereo 48 kHz', 'sine=r=48000', ['-ac', '2']],
  ])('%s', async (_name, source, channels) => {
    const tags = makeSource([...picture('320x240', '30', 3), ...sound(source, 3), ...h264(30), ...AAC, ...channels]);
    const result = await encodeTags(tags);
    expectEvenSound(result);
    const [track] = result.audio;
    const times = presentationSeconds(track as Track);
    // AAC's delay of 1024 samples stands before the source's first sample.
    expect(Math.abs((times[0] ?? 0) + 1024 / 48_000 - START_SECONDS)).toBeLessThan(0.05);
    expect(Math.abs((times.at(-1) ?? 0) - START_SECONDS - 3)).toBeLessThan(0.1);
  });

  it('without a picture', async () => {
    const result = await encodeTags(makeSource([...sound('sine=r=48000', 3), ...AAC]));
    expect(result.plan.renditions.map((rendition) => rendition.name)).toEqual(['audio']);
    expect(result.video).toEqual([]);
    expectEvenSound(result);
    expect(result.exit.code).toBe(0);
  });

  it('a picture without it', async () => {
    const result = await encodeTags(makeSource([...picture('640x360', '30', 3), ...h264(30)]));
    expect(result.plan.hasAudio).toBe(false);
    expect(result.audio).toEqual([]);
    expectEvenFrames(result);
  });

  it('that comes 2 s after its header does not hold the picture back', async () => {
    const tags = makeSource([...picture('640x360', '30', 4), ...sound('sine=r=48000', 4), ...h264(30), ...AAC]);
    const late = tags.filter((tag) => tag.kind !== 'audio' || tag.body[1] === 0 || tag.timestampMs > 3000);
    const result = await encodeTags(late);
    expectEvenFrames(result);
    expectEvenSound(result);
    expect(presentationSeconds(result.audio[0] as Track)[0]).toBeGreaterThan(START_SECONDS + 1.9);
  });
});

describe('a copied top rendition', () => {
  it.each([
    ['without B-frames', ['-tune', 'zerolatency', '-g', '45']],
    ['with B-frames', ['-tune', 'film', '-preset', 'veryfast', '-g', '45']],
  ])('%s: all others have its frames and key frames', async (_name, coding) => {
    const tags = makeSource([
      ...picture('1280x720', '30', 4),
      ...sound(SILENCE, 4),
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p',
      '-b:v',
      '1500k',
      ...coding,
      ...AAC,
    ]);
    const result = await encodeTags(tags, { top: 'copy' });
    expect(result.plan.renditions.map((rendition) => [rendition.name, rendition.mode])).toEqual([
      ['360p', 'encode'],
      ['480p', 'encode'],
      ['720p', 'copy'],
    ]);
    const top = result.video[2] as Track;
    for (const track of result.video) {
      expect(track.samples.length).toBe(120);
      expect(track.timescale).toBe(90_000);
      for (const [index, time] of presentationSeconds(track).entries()) {
        expect(Math.abs(time - (presentationSeconds(top)[index] ?? 0))).toBeLessThan(MILLISECOND);
      }
      expect(keySeconds(track)).toEqual(keySeconds(top));
    }
    expect(keySeconds(top).length).toBe(3);
    expect(result.posters.length).toBe(1);
    expect(result.exit).toEqual({ code: 0, signal: null, lastLines: [] });
  });

  it('alone decodes key frames only, for the poster', async () => {
    const tags = makeSource([...picture('320x240', '30', 6), ...sound(SILENCE, 6), ...h264(30), ...AAC]);
    const result = await encodeTags(tags, { top: 'copy' });
    expect(result.plan.renditions.map((rendition) => rendition.mode)).toEqual(['copy']);
    expect(result.video[0]?.samples.length).toBe(180);
    expect(result.posters.length).toBe(1);
  });
});
