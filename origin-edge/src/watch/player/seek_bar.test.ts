import { describe, expect, it } from 'vitest';
import { clock, isAtEdge, positionText } from './seek_bar.js';

describe('the seek bar', () => {
  it.each([
    [0, '0:00'],
    [61.9, '1:01'],
    [3600, '1:00:00'],
    [45_296, '12:34:56'],
    [-3, '0:00'],
  ])('writes %d s as %s', (seconds, text) => expect(clock(seconds)).toBe(text));

  it.each([
    [{ start: 0, end: 600, live: true }, 595, 'live'],
    [{ start: 0, end: 600, live: true }, 400, '−3:20'],
    [{ start: 0, end: 5400, live: false }, 725, '12:05 of 1:30:00'],
    [{ start: 100, end: 160, live: false }, 130, '0:30 of 1:00'],
  ])('of %j at %d says %s', (range, position, text) => {
    expect(positionText({ ...range, position }, position)).toBe(text);
  });

  it('is at the edge of a live stream alone', () => {
    expect(isAtEdge({ start: 0, end: 100, position: 0, live: true }, 92)).toBe(true);
    expect(isAtEdge({ start: 0, end: 100, position: 0, live: true }, 91)).toBe(false);
    expect(isAtEdge({ start: 0, end: 100, position: 0, live: false }, 100)).toBe(false);
  });
});
