/**
 * What events a stream's sessions must have made, said by what happened to them, and held against what the outbox gave:
 * each transition one event, in order, under an id of its own, with a sequence that rises by one. An emptied registry
 * may forget what was on its way; then the sequence still rises, and sessions that begin later are exact again.
 */
import assert from 'node:assert/strict';
import type { SessionId } from '../../contracts/ids.ts';
import type { HealthEvent, LifecycleEvent } from '../../contracts/lifecycle_event.ts';
import type { StreamState } from '../../contracts/registry.ts';

export class EventOracle {
  readonly #stream: string;
  /** Sessions that began since the registry was last emptied: the types expected, and those that came. */
  readonly #exact = new Map<SessionId, { readonly expected: string[]; readonly came: string[] }>();
  readonly #ids = new Set<string>();
  #sequence: number | undefined;
  #emptied = false;

  constructor(stream: string) {
    this.#stream = stream;
  }

  begun(session: SessionId): void {
    this.#exact.set(session, { expected: [], came: [] });
  }

  /** The registry knows of a state now; `shaped`: and that it is playable. */
  seen(session: SessionId, state: StreamState | undefined, shaped: boolean): void {
    const expected = this.#exact.get(session)?.expected;
    if (expected === undefined || expected.at(-1) === 'stream.ended') return;
    if (expected.length === 0 && shaped) expected.push('stream.live');
    const last = expected.at(-1);
    if (last === undefined) {
      // It will never be told of.
      if (state === 'ended') this.#exact.delete(session);
      return;
    }
    if (state === 'interrupted' && last !== 'stream.interrupted') expected.push('stream.interrupted');
    if (state === 'live' && last === 'stream.interrupted') expected.push('stream.resumed');
    if (state === 'ended') expected.push('stream.ended');
  }

  takenOver(session: SessionId): void {
    this.seen(session, 'interrupted', false);
    this.seen(session, 'live', false);
  }

  emptied(): void {
    this.#exact.clear();
    this.#emptied = true;
  }

  check(events: readonly (LifecycleEvent | HealthEvent)[]): void {
    for (const event of events) {
      assert('sequence' in event, `${this.#stream}: ${event.type} is no event of a session`);
      const { id, type, sessionId, sequence } = event;
      if (this.#sequence !== undefined && !this.#emptied) {
        assert.equal(sequence, this.#sequence + 1, `${this.#stream}: the sequence of ${id} does not follow`);
      }
      assert(sequence > (this.#sequence ?? 0), `${this.#stream}: the sequence of ${id} went back`);
      this.#emptied = false;
      this.#sequence = sequence;
      this.#exact.get(sessionId)?.came.push(type);
      assert(!this.#exact.has(sessionId) || !this.#ids.has(id), `${this.#stream}: ${id} came twice`);
      this.#ids.add(id);
    }
    for (const [session, { expected, came }] of this.#exact) {
      assert.deepEqual(came, expected, `${this.#stream}: events of ${session}`);
    }
  }
}
