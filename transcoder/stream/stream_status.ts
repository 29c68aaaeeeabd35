/**
 * What `status.json` says of one session.
 */
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type { StreamState } from '../../contracts/registry.ts';
import type { StreamStatus } from '../../contracts/status.ts';
import type { SessionShape } from '../../contracts/stream_shape.ts';

export interface SessionFacts {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly startedAtMs: number;
  readonly state: StreamState;
  readonly title: string | undefined;
  /** Undefined until the first media. */
  readonly shape: SessionShape | undefined;
}

export function streamStatus({ streamId, sessionId, startedAtMs, state, title, shape }: SessionFacts): StreamStatus {
  return {
    streamId,
    sessionId,
    startedAt: new Date(startedAtMs).toISOString(),
    live: state !== 'ended',
    state: shape === undefined && state === 'live' ? 'starting' : state,
    ...(title === undefined ? {} : { title }),
    renditions: shape?.renditions ?? [],
    recordings: [],
  };
}
