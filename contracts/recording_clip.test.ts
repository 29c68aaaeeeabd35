import { describe, expect, it } from 'vitest';
import { ClipError, clipQueryText, clipRange, parseClipQuery } from './recording_clip.ts';
import { renderRecordingMedia } from './recording_playlist.ts';
import { recordingTimeline } from './recording_timeline.ts';
import { HIGH, both, entry, session } from './testing/recorded_session.ts';

describe('clips', () => {
  const indexes = [
    both(
      5,
      [0, 1, 2, 3, 4].map((number) => entry(10 + number, number * 2)),
    ),
  ];
  const timeline = recordingTimeline(session(), indexes, { final: false });

  it.each([
    [undefined, undefined, undefined],
    ['0', '2', { start: 0, end: 2 }],
    ['1.5', undefined, { start: 1.5, end: undefined }],
    [undefined, '.5', { start: 0, end: 0.5 }],
  ])('from %s to %s are read', (start, end, wanted) => {
    expect(parseClipQuery(start, end)).toEqual(wanted);
  });

  it.each([
    ['5', '5', 'start (5) must be less than end (5)'],
    ['6', '5', 'start (6) must be less than end (5)'],
    ['-1', '5', 'start must not be negative'],
    ['1', '-5', 'end must not be negative'],
    ['a', '5', 'start must be a number of seconds'],
    ['1', 'NaN', 'end must be a number of seconds'],
    ['1e3', '5', 'start must be a number of seconds'],
    ['', '5', 'start must be a number of seconds'],
    ['Infinity', undefined, 'start must be a number of seconds'],
    ['.', undefined, 'start must be a number of seconds'],
  ])('from %j to %j are refused: %s', (start, end, message) => {
    expect(() => parseClipQuery(start, end)).toThrow(new ClipError(message));
  });

  it.each([
    [0, 2, 0, 1],
    [0, 2.1, 0, 2],
    [1.9, 4, 0, 2],
    [2, 4, 1, 2],
    [9.9, undefined, 4, 5],
    [3, 10, 1, 5],
  ])('from %d to %s take rows %d to %d', (start, end, from, to) => {
    expect(clipRange(timeline.rows, { start, end })).toEqual({ from, to });
  });

  it.each([
    [10, undefined, 'start (10) lies beyond the end: the recording is 10.000 s long'],
    [1, 10.1, 'end (10.1) lies beyond the end: the recording is 10.000 s long'],
  ])('from %d to %s are refused', (start, end, message) => {
    expect(() => clipRange(timeline.rows, { start, end })).toThrow(new ClipError(message));
  });

  it('are written in one way', () => {
    expect(clipQueryText({ start: 1.5, end: 3 })).toBe('?start=1.5&end=3');
    expect(clipQueryText({ start: 0, end: undefined })).toBe('?start=0');
  });

  it('are final while the recording is not', () => {
    const clip = clipRange(timeline.rows, { start: 3, end: 5 });
    expect(renderRecordingMedia(timeline, HIGH, { final: false, clip })).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-START:TIME-OFFSET=0,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:11
#EXT-X-MAP:URI="../5/720p/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T20:00:02.000Z
#EXTINF:2.00000,
../5/720p/11.m4s
#EXTINF:2.00000,
../5/720p/12.m4s
#EXT-X-ENDLIST
`);
  });
});
