/**
 * Holds what the registry says of one stream against what was promised: who owns it, with which numbers, under which
 * policy, and which events its sessions made.
 */
import assert from 'node:assert/strict';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type { ClaimRequest, ReleaseRequest, StreamRecord } from '../../contracts/registry.ts';
import { EventOracle } from './event_oracle.ts';
import type { Current, Run, Server } from './fleet_parts.ts';
import type { Granted } from './registry_calls.ts';

export class StreamJudge {
  readonly stream: StreamId;
  readonly oracle: EventOracle;
  /** The last grant. */
  #current: Current | undefined;
  #unusedMsn = 0;
  #claims = 0;
  readonly #signed = new Set<SessionId>();

  constructor(stream: StreamId) {
    this.stream = stream;
    this.oracle = new EventOracle(stream);
  }

  get current(): Current | undefined {
    return this.#current;
  }

  /** Does the server still hold what it was granted last, though it may not know that? */
  owns(server: Server): boolean {
    const run = server.runs.get(this.stream);
    if (this.#current?.server !== server || run?.grant.sessionId !== this.#current.grant.sessionId) return false;
    return run.grant.epoch >= this.#current.since;
  }

  /** A segment was published: the MSN below `unusedMsn`. */
  used(server: Server, unusedMsn: number): void {
    if (this.owns(server)) this.#unusedMsn = Math.max(unusedMsn, this.#unusedMsn);
  }

  /** @param healthy the owner before, when its publisher is there and the registry could know that */
  granted(
    server: Server,
    grant: Granted,
    playback: ClaimRequest['playback'],
    at: { readonly nowMs: number; readonly healthy: Server | undefined },
  ): void {
    const before = this.#current;
    const { stream } = this;
    this.#claims += 1;
    const last = before?.grant.epoch ?? 0;
    assert(grant.epoch > last, `${stream}: epoch ${grant.epoch} is not above ${last}`);
    const unused = this.#unusedMsn;
    assert(grant.carryOn.nextMsn >= unused, `${stream}: MSN ${grant.carryOn.nextMsn} after ${unused - 1} was used`);
    const displaced = at.healthy !== undefined && at.healthy !== server && this.owns(at.healthy);
    assert(!displaced, `${stream}: the healthy ${at.healthy?.id} was displaced by ${server.id}`);
    assert(playback === 'public' || grant.playback === 'signed', `${stream}: wanted signed, got ${grant.playback}`);
    if (grant.playback === 'signed') this.#signed.add(grant.sessionId);
    else assert(!this.#signed.has(grant.sessionId), `${stream}: became public`);
    const same = before?.grant.sessionId === grant.sessionId;
    const since = same && before.server === server ? before.since : grant.epoch;
    this.#current = { server, grant, since, letGo: false, heardAtMs: at.nowMs };
    if (!same) {
      if (before !== undefined) this.oracle.seen(before.grant.sessionId, 'ended', false);
      // One that is resumed was restored after everything had been forgotten.
      if (!grant.resumed) this.oracle.begun(grant.sessionId);
    } else if (!before.letGo && before.server !== server) this.oracle.takenOver(grant.sessionId);
    else this.oracle.seen(grant.sessionId, 'live', false);
  }

  reported(server: Server, run: Run, nowMs: number): void {
    const current = this.#current;
    if (current === undefined || !this.owns(server)) return;
    current.heardAtMs = nowMs;
    const named = run.grant.epoch === current.grant.epoch;
    if (named) current.since = run.grant.epoch;
    this.oracle.seen(run.grant.sessionId, named && run.state !== 'live' ? run.state : undefined, run.shaped);
  }

  released(run: Run, reason: ReleaseRequest['reason'], outcome: string, nowMs: number): void {
    const current = this.#current;
    if (current?.grant.epoch !== run.grant.epoch) return;
    assert.equal(outcome, 'released');
    current.letGo = true;
    current.heardAtMs = nowMs;
    this.oracle.seen(run.grant.sessionId, reason === 'moving' ? run.state : reason, run.shaped);
  }

  reaped(session: SessionId): void {
    if (this.#current !== undefined) this.#current.letGo = true;
    this.oracle.seen(session, 'ended', false);
  }

  /** @param clockSeconds the registry's clock */
  emptied(clockSeconds: number): void {
    this.oracle.emptied();
    const { grant, server } = this.#current ?? {};
    const restores = server?.connected === true && server.runs.get(this.stream)?.grant.epoch === grant?.epoch;
    const leadMsn = this.#unusedMsn - clockSeconds;
    if (restores || leadMsn <= 0) return;
    // Jumps after crashes in quick succession lead the clock by two each; only the registry knew by how much.
    assert(leadMsn <= 2 * this.#claims + 2, `${this.stream}: MSNs lead the clock by ${leadMsn}`);
    this.#unusedMsn = 0;
  }

  /** @param exact nothing was forgotten yet */
  checkRecord(record: StreamRecord, exact: boolean): void {
    const last = this.#current?.grant.epoch;
    assert(record.epoch <= (last ?? 0), `${this.stream}: resolves to an epoch that was never granted`);
    if (exact) assert.equal(record.epoch, last, `${this.stream}: resolves to an old owner`);
    if (this.#signed.has(record.sessionId)) assert.equal(record.playback, 'signed', `${this.stream}: became public`);
  }
}
