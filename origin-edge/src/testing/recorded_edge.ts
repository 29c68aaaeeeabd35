/**
 * The edge's app over a made-up recording in memory, for unit tests.
 */
import { recordingKey, keyOfPath } from '../../../contracts/recording.ts';
import type { RecordingIndex, RecordingSession } from '../../../contracts/recording.ts';
import { renderRecordingMedia, renderRecordingMultivariant } from '../../../contracts/recording_playlist.ts';
import { recordingTimeline } from '../../../contracts/recording_timeline.ts';
import { session } from '../../../contracts/testing/recorded_session.ts';
import type { AppDependencies } from '../app.ts';
import { MemorySource } from './memory_source.ts';
import { scriptedEdge } from './scripted_edge.ts';
import type { ScriptedEdge } from './scripted_edge.ts';

export interface RecordedEdge extends ScriptedEdge {
  readonly source: MemorySource;
  readonly session: RecordingSession;
  /** Writes what a recorder writes: the index as a tail, and the media that it names. */
  readonly record: (index: RecordingIndex) => void;
  /** Seals an index. */
  readonly seal: (index: RecordingIndex) => void;
  /** Writes what finalizeVod writes. */
  readonly finish: (indexes: readonly RecordingIndex[]) => void;
}

/** Nobody knows the stream in the registry unless the test says so. */
export function recordedEdge(
  over: { readonly session?: Partial<RecordingSession>; readonly app?: Partial<AppDependencies> } = {},
): RecordedEdge {
  const source = new MemorySource();
  const edge = scriptedEdge({ recordings: source, ...over.app });
  edge.registry = async () => Promise.resolve(undefined);
  const recorded = session(over.session);
  const { streamId, sessionId, playback } = recorded;
  source.put(recordingKey.session(streamId, sessionId), recorded);
  const putMedia = ({ epoch, entries, inits }: RecordingIndex): void => {
    source.put(recordingKey.epoch(streamId, epoch), { v: 1, streamId, sessionId, epoch, playback });
    for (const rendition of recorded.renditions) {
      if (inits[rendition] !== undefined) source.put(`${streamId}/${epoch}/${rendition}/init.mp4`, 'init');
      for (const { msn, size } of entries[rendition] ?? []) {
        if (size !== undefined) source.put(`${streamId}/${epoch}/${rendition}/${msn}.m4s`, `media ${msn}`);
      }
    }
  };
  return Object.assign(edge, {
    source,
    session: recorded,
    record: (index: RecordingIndex) => {
      putMedia(index);
      source.put(recordingKey.tail(streamId, sessionId, index.epoch), index);
    },
    seal: (index: RecordingIndex) => {
      putMedia(index);
      source.put(recordingKey.index(streamId, sessionId, index.epoch, index.serial), index);
    },
    finish: (indexes: readonly RecordingIndex[]) => {
      const timeline = recordingTimeline(recorded, indexes, { final: true });
      for (const rendition of timeline.renditions) {
        const path = { kind: 'vod-media', streamId, sessionId, rendition } as const;
        source.put(keyOfPath(path), renderRecordingMedia(timeline, rendition, { final: true }));
      }
      source.put(keyOfPath({ kind: 'vod-multivariant', streamId, sessionId }), renderRecordingMultivariant(recorded));
      source.put(recordingKey.summary(streamId, sessionId), {
        v: 1,
        streamId,
        sessionId,
        revision: 1,
        playback,
        startedAt: new Date(recorded.startedAtMs).toISOString(),
        duration: timeline.duration,
        bytes: 0,
        renditions: [],
        poster: false,
        digest: 'ab'.repeat(32),
      });
    },
  });
}
