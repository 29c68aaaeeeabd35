/**
 * The servers that take publishers off this one, as the last heartbeat's answer named them. Those that were sent some
 * since then come later: the answer cannot know of it.
 */
import type { HeartbeatReply } from '../../contracts/registry.ts';

export class PeerList {
  #peers: HeartbeatReply['peers'] = [];
  readonly #sentSince = new Map<string, number>();

  /** Least loaded first. */
  update(peers: HeartbeatReply['peers']): void {
    this.#peers = peers;
    this.#sentSince.clear();
  }

  get size(): number {
    return this.#peers.length;
  }

  /** `host:port` of each, the best first; counts one more for that one. */
  take(): readonly string[] {
    const sent = (serverId: string): number => this.#sentSince.get(serverId) ?? 0;
    const order = this.#peers.toSorted((a, b) => sent(a.serverId) - sent(b.serverId));
    const best = order[0];
    if (best !== undefined) this.#sentSince.set(best.serverId, sent(best.serverId) + 1);
    return order.map(({ ingest }) => ingest);
  }
}
