/**
 * Which servers there are, and which of them take new publishers: what a heartbeat says and is answered.
 */
import type { HeartbeatReply, HeartbeatRequest } from '../../contracts/registry.ts';

export interface KnownServer {
  readonly serverId: string;
  readonly seq: number;
  readonly ingest: string | undefined;
  readonly capacity: HeartbeatRequest['capacity'];
  /** A person asked it to drain. */
  readonly drain: boolean;
  /** Registry's time of its last heartbeat, ms. */
  readonly heardAtMs: number;
}

/** Peers named in one answer; the first is nearly always enough. */
const MOST_PEERS = 8;

/** Ready servers other than the asker, least loaded (by share of their capacity) first. */
export function readyPeers(
  servers: Iterable<KnownServer>,
  asker: string,
  nowMs: number,
  leaseMs: number,
): HeartbeatReply['peers'] {
  const ready: { readonly load: number; readonly peer: HeartbeatReply['peers'][number] }[] = [];
  for (const { serverId, ingest, capacity, heardAtMs } of servers) {
    const takes = capacity.ready && !capacity.draining && capacity.streams < capacity.maxStreams;
    if (serverId === asker || ingest === undefined || !takes || nowMs - heardAtMs > leaseMs) continue;
    ready.push({
      load: capacity.streams / capacity.maxStreams,
      peer: { serverId, ingest, streams: capacity.streams },
    });
  }
  return ready
    .toSorted((a, b) => a.load - b.load || a.peer.serverId.localeCompare(b.peer.serverId, 'en'))
    .slice(0, MOST_PEERS)
    .map(({ peer }) => peer);
}

/**
 * A heartbeat that was overtaken by a later one. Once a server has been silent for a lease, any number is a new start:
 * it may have been started again under the same name.
 */
export function isOvertaken(
  known: Pick<KnownServer, 'seq' | 'heardAtMs'> | undefined,
  seq: number,
  nowMs: number,
  leaseMs: number,
): boolean {
  return known !== undefined && seq < known.seq && nowMs - known.heardAtMs <= leaseMs;
}
