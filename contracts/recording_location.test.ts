import { describe, expect, it } from 'vitest';
import { parseRecordingLocation } from './recording_location.ts';

describe('parseRecordingLocation', () => {
  it.each([
    ['file:./data/recordings', { kind: 'file', path: './data/recordings' }],
    ['file:///var/recordings', { kind: 'file', path: '/var/recordings' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://my.bucket-1/live/', { kind: 's3', bucket: 'my.bucket-1', prefix: 'live/' }],
    ['s3://bucket/a/b', { kind: 's3', bucket: 'bucket', prefix: 'a/b/' }],
  ])('reads %s', (text, location) => {
    expect(parseRecordingLocation(text)).toEqual(location);
  });

  it.each(['', 'file:', 'recordings', 's3://', 's3://UPPER', 's3://bucket/../x', 's3://bucket//x', 'https://x/y'])(
    'refuses %j in one line',
    (text) => {
      expect(() => parseRecordingLocation(text)).toThrow(/^HW_RECORDING_STORE: got .*, wanted file:PATH or s3:/);
    },
  );
});
