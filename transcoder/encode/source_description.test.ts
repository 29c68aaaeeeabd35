import { describe, expect, it } from 'vitest';
import type { MediaTag } from '../flv/media_tag.ts';
import { describeSource, UnsupportedSourceError } from './source_description.ts';

function tag(kind: MediaTag['kind'], hex: string): MediaTag {
  return { kind, timestampMs: 0, body: Buffer.from(hex, 'hex') };
}

/** x264: 3840x2160 at 60 fps, samples of 0.75. */
const UHD = '0142c034ffe1001d6742c034da00f0010fbff000300041000003000100000300780f1832a001000468ce0fc8';
/** x264: 640x480, monochrome, High. */
const MONOCHROME = '0164001effe100196764001ef2d01407b602d90000030001000003003c0f162ea001000468ce0fc8fcf8f800';
const AAC = 'af001190';
/** onMetaData with framerate 29.97 and videodatarate 2500. */
const METADATA =
  '02000a6f6e4d65746144617461' +
  '0800000002' +
  '00096672616d6572617465' +
  '00403df851eb851eb8' +
  '000d766964656f6461746172617465' +
  '0040a3880000000000' +
  '000009';

describe('describeSource', () => {
  it('takes size, rate and codec from the headers', () => {
    const described = describeSource({
      videoHeader: tag('video', `1700000000${UHD}`),
      audioHeader: tag('audio', AAC),
    });
    expect(described).toEqual({
      video: {
        codec: 'h264',
        width: 2880,
        height: 2160,
        codecString: 'avc1.42c034',
        passThrough: false,
        frameRate: { numerator: 60, denominator: 1 },
      },
      audio: { codec: 'aac', sampleRate: 48_000, channels: 2 },
    });
  });

  it('takes rate and bitrate from the metadata', () => {
    const described = describeSource({
      videoHeader: tag('video', `1700000000${MONOCHROME}`),
      metadata: tag('metadata', METADATA),
      measuredVideoBitrate: 1,
    });
    expect(described.videoBitrate).toBe(2_500_000);
    expect(described.video?.frameRate).toEqual({ numerator: 30_000, denominator: 1001 });
    expect(described.video?.passThrough).toBe(false);
    expect(described.audio).toBeUndefined();
  });

  it('takes MP3 by its flags', () => {
    expect(describeSource({ audioHeader: tag('audio', '2effab') }).audio).toEqual({
      codec: 'mp3',
      sampleRate: 44_100,
      channels: 1,
    });
  });

  it.each([
    [
      { videoHeader: tag('video', '9068766331') },
      'HEVC video arrived, H.264 is wanted: in OBS set Settings > Output > Video Encoder to x264 or a hardware H.264 encoder',
    ],
    [{ videoHeader: tag('video', '9061763031') }, 'AV1 video arrived, H.264 is wanted'],
    [{ videoHeader: tag('video', '9076703039') }, 'VP9 video arrived, H.264 is wanted'],
    [{ videoHeader: tag('video', '1c0000000001') }, 'HEVC video arrived'],
    [{ videoHeader: tag('video', '2200') }, 'Sorenson H.263 video arrived'],
    [{ videoHeader: tag('video', '') }, 'the first video message is empty'],
    [{ videoHeader: tag('video', '17010000000000') }, 'without its sequence header'],
    [{ videoHeader: tag('video', '170000000000') }, 'the H.264 sequence header cannot be read'],
    [
      { audioHeader: tag('audio', '904f707573') },
      'Opus audio arrived, AAC is wanted: in OBS set Settings > Output > Audio Encoder to AAC',
    ],
    [{ audioHeader: tag('audio', 'af01ff') }, 'without its sequence header'],
    [{ audioHeader: tag('audio', 'af00') }, 'the AAC sequence header cannot be read: the codec header is cut off'],
    [{}, 'neither video nor audio arrived'],
  ])('%o is refused: %s', (evidence, message) => {
    expect(() => describeSource(evidence)).toThrow(UnsupportedSourceError);
    expect(() => describeSource(evidence)).toThrow(message);
  });
});
