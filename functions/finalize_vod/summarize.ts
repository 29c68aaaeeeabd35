/**
 * What `recording.json` says, from a reconciled recording.
 */
import { createHash } from 'node:crypto';
import type { RecordingSession, RecordingSummary } from '../../contracts/recording.ts';
import type { RecordingTimeline } from '../../contracts/recording_timeline.ts';

export interface SummaryOptions {
  readonly revision: number;
  /** A poster lies with the recording. */
  readonly poster: boolean;
}

export function summarize(
  session: RecordingSession,
  timeline: RecordingTimeline,
  { revision, poster }: SummaryOptions,
): RecordingSummary {
  const renditions = timeline.renditions.map((name, position) => {
    const gaps: { msn: number; duration: number }[] = [];
    let segments = 0;
    let bytes = 0;
    let seconds = 0;
    for (const row of timeline.rows) {
      const stored = row.stored[position];
      seconds += stored?.duration ?? row.duration;
      if (stored === undefined) gaps.push({ msn: row.msn, duration: milliseconds(row.duration) });
      else {
        segments += 1;
        bytes += stored.size ?? 0;
      }
    }
    return { name, segments, bytes, duration: milliseconds(seconds), gaps };
  });
  return {
    v: 1,
    streamId: session.streamId,
    sessionId: session.sessionId,
    revision,
    ...(session.title === undefined ? {} : { title: session.title }),
    playback: session.playback,
    startedAt: new Date(session.startedAtMs).toISOString(),
    duration: milliseconds(timeline.duration),
    bytes: renditions.reduce((sum, rendition) => sum + rendition.bytes, 0),
    renditions,
    poster,
    ...(session.keepDays === undefined ? {} : { keepDays: session.keepDays }),
    digest: chainDigests(timeline),
  };
}

/** The digest of `recording.json`: see its schema. */
export function chainDigests(timeline: RecordingTimeline): string {
  let chained: Buffer = Buffer.alloc(32);
  for (const position of timeline.renditions.keys()) {
    for (const { stored } of timeline.rows) {
      const digest = stored[position]?.sha256;
      if (digest === undefined) continue;
      chained = createHash('sha256').update(chained).update(Buffer.from(digest, 'hex')).digest();
    }
  }
  return chained.toString('hex');
}

/** Seconds to the millisecond. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
