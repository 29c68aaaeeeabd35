import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classicAacBody, inspectAudioTag } from './audio_tag.ts';

describe('inspectAudioTag', () => {
  it.each([
    ['af001190', { codec: 'aac', packet: 'sequence-header', enhanced: false, channels: 2 }],
    ['af0121', { codec: 'aac', packet: 'frames' }],
    ['2ffb', { codec: 'mp3', packet: 'frames', sampleRate: 44_100, channels: 2 }],
    ['2aff', { codec: 'mp3', sampleRate: 22_050, channels: 1 }],
    ['e2ff', { codec: 'mp3', sampleRate: 8000, channels: 1 }],
    ['b6ff', { codec: 'speex', sampleRate: 16_000 }],
    ['904f707573', { codec: 'opus', packet: 'sequence-header', enhanced: true }],
    ['916d70346121', { codec: 'aac', packet: 'frames', enhanced: true }],
    ['956d703461', { codec: 'unknown', packet: 'other' }],
  ])('%s', (hex, wanted) => {
    expect(inspectAudioTag(Buffer.from(hex, 'hex'))).toMatchObject(wanted);
  });

  it.each(['', 'af', '904f70'])('%s is too short', (hex) => {
    expect(inspectAudioTag(Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        expect(() => inspectAudioTag(Buffer.from(bytes))).not.toThrow();
      }),
    );
  });

  it('rewrites an enhanced AAC tag as a classic one', () => {
    const body = Buffer.from('906d7034611190', 'hex');
    const tag = inspectAudioTag(body);
    expect(tag && classicAacBody(tag, body).toString('hex')).toBe('af001190');
  });
});
