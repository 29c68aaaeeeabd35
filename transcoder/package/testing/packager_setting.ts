/**
 * A packager over an empty window, and the pictures and sound that it is given, for unit tests.
 */
import type { Epoch, RenditionName, StreamId } from '../../../contracts/ids.ts';
import type { EncodePlan } from '../../encode/encode_plan.ts';
import { findBox, listBoxes } from '../boxes.ts';
import { EpochPackager } from '../epoch_packager.ts';
import type { EpochPackagerOptions, PackageError, RenditionTracks } from '../epoch_packager.ts';
import { SegmentWindow } from '../segment_window.ts';
import type { PublishedSegment } from '../segment_window.ts';
import type { WindowSegment } from '../window_segment.ts';
import { audioFragment, audioInit, pictures, sounds, videoFragment, videoInit } from './synthetic_track.ts';

export const LOW = '360p' as RenditionName;
export const HIGH = '720p' as RenditionName;
export const EPOCH = 1000 as Epoch;

export function makePlan(options: Partial<EncodePlan> = {}, names: readonly RenditionName[] = [LOW, HIGH]): EncodePlan {
  return {
    renditions: names.map((name) => ({
      name,
      mode: 'encode',
      videoBitrate: 800_000,
      maxRate: 800_000,
      bufferSize: 800_000,
      audioBitrate: name === LOW ? 96_000 : 128_000,
    })),
    followsSource: false,
    gopFrames: 60,
    partFrames: 15,
    audioBitrates: [96_000, 128_000],
    hasAudio: true,
    ...options,
  };
}

export interface Setting {
  readonly window: SegmentWindow;
  readonly packager: EpochPackager;
  readonly segments: PublishedSegment[];
  readonly errors: PackageError[];
  readonly tracks: (readonly RenditionTracks[])[];
}

export function setUp(plan: EncodePlan, options: Partial<EpochPackagerOptions> = {}): Setting {
  const window = new SegmentWindow({
    streamId: 'demo' as StreamId,
    renditions: [LOW, HIGH],
    targetDuration: 2,
    partTarget: 0.5,
    carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs: 0 },
    resumed: false,
  });
  const segments: PublishedSegment[] = [];
  window.onSegment((segment) => segments.push(segment));
  const errors: PackageError[] = [];
  const tracks: (readonly RenditionTracks[])[] = [];
  const packager = new EpochPackager({
    epoch: EPOCH,
    plan,
    window,
    anchor: { mediaSeconds: 10, programDateTimeMs: 1_000_000 },
    segmentSeconds: 2,
    onTracks: (found) => tracks.push(found),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { window, packager, segments, errors, tracks };
}

/** Half a second of pictures as one chunk; `index` counts from the epoch's start at 10 s. */
export function halfSecond(index: number): Buffer {
  const gop = index % 4 === 0 ? 60 : 0;
  return videoFragment(pictures({ from: 900_000 + index * 45_000, count: 15, gop }));
}

/** `count` frames of sound from the epoch's start on, as one chunk. */
export function soundFrom(frame: number, count: number): Buffer {
  return audioFragment(sounds(480_000 + frame * 1024, count));
}

export function start(packager: EpochPackager): void {
  for (const index of [0, 1]) {
    packager.video(index, videoInit(index === 0 ? 640 : 1280, index === 0 ? 360 : 720));
    packager.audio(index, audioInit());
  }
}

export function listed(window: SegmentWindow, rendition: RenditionName): readonly WindowSegment[] {
  return window.track(rendition)?.listed() ?? [];
}

/** Track ids and sample counts of a part. */
export function contents(part: Buffer): number[][] {
  const moof = listBoxes(part, 0, part.length)[0];
  if (moof === undefined) return [];
  return listBoxes(part, moof.body, moof.end)
    .filter((child) => child.type === 'traf')
    .map((traf) => {
      const tfhd = findBox(part, traf, 'tfhd')?.body ?? 0;
      const trun = findBox(part, traf, 'trun')?.body ?? 0;
      return [part.readUInt32BE(tfhd + 4), part.readUInt32BE(trun + 4)];
    });
}
