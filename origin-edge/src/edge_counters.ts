/**
 * What the edge counts about itself: plain numbers, read by whatever exports them.
 */
export interface EdgeCounters {
  /** Requests for media paths. */
  requests: number;
  /** Of these, answered from memory without waiting. */
  memoryHits: number;
  /** Requests to media servers. */
  upstreamRequests: number;
  /** Of these, without a usable answer. */
  upstreamFailures: number;
  /** Registry records whose address was not followed. */
  upstreamRefused: number;
  /** Playlists answered with the last known state because the present one could not be had. */
  lastKnownPlaylists: number;
  registryFailures: number;
  /** Reads of the recording store that failed. */
  recordingFailures: number;
  /** Replies 500. */
  internalErrors: number;
}

export function newEdgeCounters(): EdgeCounters {
  return {
    requests: 0,
    memoryHits: 0,
    upstreamRequests: 0,
    upstreamFailures: 0,
    upstreamRefused: 0,
    lastKnownPlaylists: 0,
    registryFailures: 0,
    recordingFailures: 0,
    internalErrors: 0,
  };
}
