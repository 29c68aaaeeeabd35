import { expect, test } from 'vitest';
import { declaredGopFrames, GopMemory } from './gop_memory.ts';
import { GopMeter } from './gop_meter.ts';
import type { StreamId } from '../../contracts/ids.ts';

test('measures the longest GOP and the bitrate', () => {
  const meter = new GopMeter();
  for (let frame = 0; frame <= 600; frame += 1) {
    const gop = frame < 270 ? 60 : 90;
    meter.video(Math.round((frame * 1000) / 30), 10_000, frame % gop === 0);
  }
  expect(meter.longestMs).toBe(3000);
  expect(meter.bitrate).toBeGreaterThan(2_390_000);
  expect(meter.bitrate).toBeLessThan(2_420_000);
});

test('a jump of the timestamps is not a long GOP', () => {
  const meter = new GopMeter();
  meter.video(0, 1, true);
  meter.video(2000, 1, true);
  meter.video(3_602_000, 1, true);
  meter.video(3_604_000, 1, true);
  expect(meter.longestMs).toBe(2000);
});

test.each([30_000, 5000])('nor is one of %i ms while pictures come', (jump) => {
  const meter = new GopMeter();
  for (let frame = 0; frame < 90; frame += 1) meter.video(frame * 33, 1, frame % 60 === 0);
  for (let frame = 90; frame < 300; frame += 1) meter.video(jump + frame * 33, 1, frame % 60 === 0);
  expect(meter.longestMs).toBe(1980);
});

test("x264's settings tell its GOP", () => {
  const frame = (options: string) =>
    Buffer.from(`\u0000\u0000\u0000\u0010\u0006\u0005x264 - core 164 - options: cabac=1 ${options} crf=23`);
  expect(declaredGopFrames(frame('keyint=250 keyint_min=25'))).toBe(250);
  expect(declaredGopFrames(frame('keyint=infinite'))).toBe(Number.POSITIVE_INFINITY);
  expect(declaredGopFrames(Buffer.from('keyint=250 without its maker'))).toBeUndefined();
});

test('the memory is bounded', () => {
  const memory = new GopMemory();
  for (let index = 0; index < 10_001; index += 1) {
    memory.remember(`s${index}` as StreamId, { longestGopMs: index, peakBitrate: 0 });
  }
  expect(memory.recall('s0' as StreamId)).toBeUndefined();
  expect(memory.recall('s10000' as StreamId)?.longestGopMs).toBe(10_000);
});
