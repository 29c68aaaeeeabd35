import { expect, test } from 'vitest';
import { SILENT_AAC_FRAME } from './aac_track.ts';
import { AudioQueue } from './audio_queue.ts';
import type { AudioFrames } from './audio_queue.ts';
import { sounds } from './testing/synthetic_track.ts';

function fill(queue: AudioQueue, from: number, count: number): void {
  for (const sample of sounds(from, count)) queue.push(sample);
}

/** `s` silence, `x` sound. */
function picture(frames: AudioFrames): string {
  return frames.samples.map((sample) => (sample.data === SILENT_AAC_FRAME ? 's' : 'x')).join('');
}

test('takes the frames that begin before the end, the later ones next time', () => {
  const queue = new AudioQueue(true);
  fill(queue, 480_000, 50);
  const first = queue.take(480_000, 504_000);
  expect(first.baseDecodeTime).toBe(480_000);
  expect(first.samples).toHaveLength(24);
  const second = queue.take(480_000, 528_000);
  expect(second.baseDecodeTime).toBe(480_000 + 24 * 1024);
  expect(second.samples).toHaveLength(23);
});

test('is ready once the sound reaches the end', () => {
  const queue = new AudioQueue(true);
  expect(queue.ready(480_001)).toBe(false);
  fill(queue, 480_000, 1);
  expect(queue.ready(481_024)).toBe(true);
  expect(queue.ready(481_025)).toBe(false);
});

test('drops sound from before the first picture, and fills silence up to sound that begins late', () => {
  const early = new AudioQueue(true);
  fill(early, 470_000, 50);
  expect(early.take(480_000, 490_000).baseDecodeTime).toBe(470_000 + 9 * 1024);
  const late = new AudioQueue(true);
  fill(late, 480_000 + 3 * 1024 + 100, 4);
  const frames = late.take(480_000, 487_000);
  expect(frames.baseDecodeTime).toBe(479_076);
  expect(picture(frames)).toBe('ssssxxxx');
});

test('fills a hole', () => {
  const queue = new AudioQueue(true);
  fill(queue, 0, 2);
  fill(queue, 5 * 1024, 2);
  const frames = queue.take(0, 7 * 1024);
  expect(picture(frames)).toBe('xxsssxx');
  expect(frames.samples.every((sample) => sample.duration === 1024)).toBe(true);
});

test('silence stands in for sound that is over a second late, and what comes later for the same time is dropped', () => {
  const queue = new AudioQueue(true);
  fill(queue, 0, 2);
  queue.giveUp(24_000);
  expect(picture(queue.take(0, 24_000))).toBe('xx');
  queue.giveUp(72_000);
  expect(queue.ready(72_000)).toBe(true);
  expect(picture(queue.take(0, 72_000))).toBe('s'.repeat(69));
  fill(queue, 2 * 1024, 80);
  const frames = queue.take(0, 80 * 1024);
  expect(frames.baseDecodeTime).toBe(71 * 1024);
  expect(picture(frames)).toBe('xxxxxxxxx');
});

test('without sound in the source it is silence at once', () => {
  const queue = new AudioQueue(false);
  expect(queue.ready(24_000)).toBe(true);
  expect(picture(queue.take(0, 24_000))).toBe('s'.repeat(24));
});

test('sound that never came is silence from the start', () => {
  const queue = new AudioQueue(true);
  queue.giveUp(24_000);
  expect(picture(queue.take(0, 24_000))).toBe('s'.repeat(24));
});

test('never goes back, whatever arrives', () => {
  const queue = new AudioQueue(true);
  fill(queue, 1000, 10);
  fill(queue, 1500, 10);
  fill(queue, 0, 10);
  const frames = queue.take(0, 20_000);
  expect(frames.samples.every((sample) => sample.duration >= 1024)).toBe(true);
});
