/**
 * A window of two renditions, filled with segments of four parts of half a second each, for unit tests.
 */
import type { Epoch, RenditionName, StreamId } from '../../../contracts/ids.ts';
import { SegmentWindow } from '../segment_window.ts';
import type { SegmentWindowOptions } from '../segment_window.ts';
import type { WindowEpoch } from '../window_epoch.ts';

export const LOW = '360p' as RenditionName;
export const HIGH = '720p' as RenditionName;
export const FIRST = 1000 as Epoch;
export const SECOND = 2000 as Epoch;
export const NEVER: AbortSignal = new AbortController().signal;
export const START = Date.UTC(2026, 10, 22, 18);
export const ANCHOR = { mediaSeconds: 10, programDateTimeMs: START };

export function makeWindow(options: Partial<SegmentWindowOptions> = {}): SegmentWindow {
  return new SegmentWindow({
    streamId: 'demo' as StreamId,
    renditions: [LOW, HIGH],
    targetDuration: 2,
    partTarget: 0.5,
    carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    resumed: false,
    ...options,
  });
}

/** Appends one part of half a second to segment `segment` of one rendition. */
export function appendPart(epoch: WindowEpoch, rendition: number, segment: number, independent = true): void {
  const segmentStart = (10 + 2 * segment) * 90_000;
  const data = Buffer.from(`${epoch.epoch} ${rendition} ${segment % 10}`);
  epoch.appendPart({ rendition, segment, segmentStart, hold: false }, { duration: 45_000, independent, data });
}

export function appendSegment(epoch: WindowEpoch, rendition: number, segment: number): void {
  for (let part = 0; part < 4; part += 1) appendPart(epoch, rendition, segment, part === 0);
  epoch.endSegment(rendition);
}

export function appendSegments(epoch: WindowEpoch, from: number, to: number): void {
  for (const rendition of [0, 1]) epoch.setInit(rendition, Buffer.from('init'));
  for (let segment = from; segment < to; segment += 1)
    for (const rendition of [0, 1]) appendSegment(epoch, rendition, segment);
}
