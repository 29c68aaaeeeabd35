/**
 * The last sessions of one stream, as the registry in memory keeps them.
 */
import type { SessionId } from '../../contracts/ids.ts';
import type { SessionEntry } from '../../contracts/registry.ts';
import type { Ownership } from './ownership.ts';
import { MOST_SESSIONS } from './registry_times.ts';

export class SessionList {
  readonly #sessions = new Map<SessionId, SessionEntry>();

  /** Takes over what a change of the stream's record says of its sessions. */
  follow(before: Ownership | undefined, after: Ownership | undefined, nowMs: number): void {
    if (before !== undefined && before.sessionId !== after?.sessionId) this.#end(before, nowMs);
    if (after === undefined) return;
    const { sessionId, startedAtMs } = after;
    if (before?.sessionId !== sessionId && !this.#sessions.has(sessionId)) {
      this.#sessions.set(sessionId, { sessionId, startedAtMs });
      const [oldest] = [...this.#sessions.keys()].toSorted();
      if (this.#sessions.size > MOST_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    }
    if (after.state === 'ended') this.#end(after, nowMs);
  }

  /** When it ended, ms since 1970, if it did. */
  endOf(sessionId: SessionId): number | undefined {
    return this.#sessions.get(sessionId)?.endedAtMs;
  }

  /** ULIDs sort by time. */
  newestFirst(): SessionEntry[] {
    return [...this.#sessions.values()].toSorted((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
  }

  #end({ sessionId, startedAtMs }: Ownership, nowMs: number): void {
    if (this.#sessions.get(sessionId)?.endedAtMs !== undefined) return;
    this.#sessions.set(sessionId, { sessionId, startedAtMs, endedAtMs: nowMs });
  }
}
