/**
 * Builds the initialization segment of a rendition (CMAF header, ISO/IEC 23000-19 section 7.3): video as track 1 and
 * audio as track 2, or audio alone as track 2.
 */
import { buildAudioTrak } from './aac_track.ts';
import { box, fullBox, listBoxes, requireBox, u16, u32 } from './boxes.ts';
import type { VideoTrackInit } from './track_init.ts';

export const VIDEO_TRACK_ID = 1;
export const AUDIO_TRACK_ID = 2;

export interface InitSegmentParts {
  /** Absent for audio alone. */
  readonly video?: VideoTrackInit;
  /** Bits per second. */
  readonly audioBitrate: number;
}

/** The whole segment: `ftyp` and `moov`. There are no edit lists: all tracks share one timeline as it is. @throws BoxError */
export function buildInitSegment({ video, audioBitrate }: InitSegmentParts): Buffer {
  const ftyp = box('ftyp', Buffer.from('iso6'), u32(0), Buffer.from('iso6cmfcmp41'));
  const traks = [buildAudioTrak(AUDIO_TRACK_ID, audioBitrate)];
  const extends_ = [trackExtends(AUDIO_TRACK_ID)];
  if (video !== undefined) {
    traks.unshift(renumberTrak(video.trak, VIDEO_TRACK_ID));
    extends_.unshift(trackExtends(VIDEO_TRACK_ID));
  }
  const mvhd = fullBox(
    'mvhd',
    0,
    0,
    u32(0, 0, 1000, 0, 0x1_0000),
    u16(0x0100, 0),
    u32(0, 0, 0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000, 0, 0, 0, 0, 0, 0, AUDIO_TRACK_ID + 1),
  );
  return Buffer.concat([ftyp, box('moov', mvhd, ...traks, box('mvex', ...extends_))]);
}

/** trex: sample description 1, everything else stands in the fragments. */
function trackExtends(trackId: number): Buffer {
  return fullBox('trex', 0, 0, u32(trackId, 1, 0, 0, 0));
}

/** The track with another id and without its edit list. */
function renumberTrak(trak: Buffer, trackId: number): Buffer {
  const kept = listBoxes(trak, 8, trak.length)
    .filter((child) => child.type !== 'edts')
    .map((child) => trak.subarray(child.start, child.end));
  const copy = box('trak', ...kept);
  const tkhd = requireBox(copy, { body: 8, end: copy.length }, ['tkhd'], 24);
  copy.writeUInt32BE(trackId, tkhd.body + (copy[tkhd.body] === 1 ? 20 : 12));
  return copy;
}
