/**
 * What the edge's app is given by its entry: how to find a stream, how to fetch from a server, what time it is.
 */
import type { StreamId } from './ids.ts';
import type { StreamRecord } from './registry.ts';

/** A whole reply of an upstream server. */
export interface UpstreamReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Not to be changed: shared by all who wait for it. */
  readonly body: Uint8Array;
}

export interface EdgeDependencies {
  /** Undefined: no such stream. Rejects when the registry cannot say. */
  readonly resolve: (streamId: StreamId) => Promise<StreamRecord | undefined>;
  /**
   * GET from a transcoder. Rejects when it cannot be reached, answers after `timeoutMs`, or exceeds `maxBytes`.
   * @param url absolute; the entry adds the media token
   */
  readonly fetchUpstream: (
    url: string,
    options: { readonly timeoutMs: number; readonly maxBytes: number },
  ) => Promise<UpstreamReply>;
  /** Milliseconds on a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** Headers by which a transcoder tells an edge about a playlist; never passed on to viewers. */
export const UPSTREAM_HEADER = {
  /** Highest epoch of the stream that the reply knows of. */
  epoch: 'x-headwater-epoch',
  /** Media sequence number of the segment being made, and the number of its parts that are ready: `msn.parts`. */
  edgePosition: 'x-headwater-position',
  /** `live`, `interrupted` or `ended`. */
  state: 'x-headwater-state',
  /** EXT-X-TARGETDURATION, s. */
  targetDuration: 'x-headwater-target-duration',
} as const;
