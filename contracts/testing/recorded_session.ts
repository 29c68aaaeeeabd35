/**
 * A made-up recording for unit tests: a session of two renditions, and indexes of it.
 */
import { parseEpoch, parseRenditionName, parseSessionId, parseStreamId } from '../ids.ts';
import { recordingSessionSchema } from '../recording.ts';
import type { IndexEntry, RecordingIndex, RecordingSession } from '../recording.ts';
import { parsePayload } from '../schema.ts';

export const START_MS = Date.parse('2026-11-22T20:00:00.000Z');
export const LOW = parseRenditionName('360p');
export const HIGH = parseRenditionName('720p');
/** Of anything. */
export const SHA = 'ab'.repeat(32);

export function session(over: Partial<RecordingSession> = {}): RecordingSession {
  const rendition = (name: string, height: number, bandwidth: number) => ({
    name: parseRenditionName(name),
    resolution: { width: (height * 16) / 9, height },
    frameRate: 30,
    codecs: 'avc1.64001f,mp4a.40.2',
    bandwidth,
    averageBandwidth: bandwidth - 100_000,
  });
  const value = {
    v: 1,
    streamId: 'demo',
    sessionId: '01JBX0000000000000000000AA',
    startedAtMs: START_MS,
    playback: 'public',
    record: 'all',
    shape: {
      targetDuration: 2,
      partTarget: 0.5,
      renditions: [rendition('360p', 360, 1_000_000), rendition('720p', 720, 3_000_000)],
    },
    renditions: ['360p', '720p'],
    ...over,
  };
  return parsePayload(recordingSessionSchema, value, 'session');
}

export function entry(msn: number, atSeconds: number, over: Partial<IndexEntry> = {}): IndexEntry {
  return { msn, duration: 2, pdt: START_MS + atSeconds * 1000, size: 1000, sha256: SHA, ...over };
}

export const gap = (msn: number, atSeconds: number): IndexEntry => ({
  msn,
  duration: 2,
  pdt: START_MS + atSeconds * 1000,
});

export function index(
  epoch: number,
  entries: Record<string, readonly IndexEntry[]>,
  over: Partial<RecordingIndex> = {},
): RecordingIndex {
  return {
    v: 1,
    streamId: parseStreamId('demo'),
    sessionId: parseSessionId('01JBX0000000000000000000AA'),
    epoch: parseEpoch(epoch),
    serial: 0,
    inits: { '360p': { size: 700, sha256: SHA }, '720p': { size: 700, sha256: SHA } },
    entries: Object.fromEntries(Object.entries(entries).map(([name, list]) => [name, [...list]])),
    ...over,
  };
}

/** The same segments in both renditions. */
export const both = (epoch: number, list: readonly IndexEntry[], over: Partial<RecordingIndex> = {}): RecordingIndex =>
  index(epoch, { '360p': list, '720p': list }, over);
