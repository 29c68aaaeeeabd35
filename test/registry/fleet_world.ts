/**
 * A fleet of three transcoders as the registry sees them, in simulated time: they claim as docs/architecture.md says
 * (asking the owner), report every 3 s, crash, are cut off, restart. Checks the registry's promises as it goes.
 */
import assert from 'node:assert/strict';
import type { StreamId } from '../../contracts/ids.ts';
import type { ClaimReply, ClaimRequest, HeartbeatRequest, ReleaseRequest } from '../../contracts/registry.ts';
import { drainOutbox } from './drain_outbox.ts';
import { mediaAgeMs, reportOfRun } from './fleet_parts.ts';
import type { FleetStep, Sent, Server } from './fleet_parts.ts';
import type { Granted } from './registry_calls.ts';
import { StreamJudge } from './stream_judge.ts';
import type { RegistryUnderTest } from './registry_under_test.ts';

const HEARTBEAT_MS = 3_000;
const SEGMENT_MS = 2_000;
const QUIET_MS = 3_000;
const WINDOW_MS = 60_000;
const REAP_MS = 60_000;
const LEASE_MS = 10_000;
/** A duplicate on the network is not older than this. */
const REPLAY_MS = 60_000;

export class FleetWorld {
  readonly #made: RegistryUnderTest;
  readonly #servers: readonly Server[];
  readonly #streams: readonly StreamId[] = ['one' as StreamId, 'two' as StreamId];
  readonly #sent: Sent[] = [];
  readonly #judges: readonly StreamJudge[] = this.#streams.map((stream) => new StreamJudge(stream));
  #reapDueMs = REAP_MS;
  #nowMs = 0;
  #emptiedAtMs = -1;
  #era = 0;
  #seq = 0;
  #claims = 0;

  constructor(made: RegistryUnderTest) {
    this.#made = made;
    this.#servers = ['a', 'b', 'c'].map((id, index) => ({
      id,
      alive: true,
      connected: true,
      clockSkewMs: 0,
      beatDueMs: index * 1_000,
      missedBeatAtMs: -1,
      runs: new Map(),
    }));
  }

  /** Lets the registry, found empty, settle. */
  async start(): Promise<void> {
    await this.#advance(6_000);
  }

  async take(step: FleetStep): Promise<void> {
    switch (step.do) {
      case 'publish':
        await this.#publish(this.#server(step.server), this.#stream(step.stream), step.signed);
        break;
      case 'advance':
        await this.#advance(step.ms);
        break;
      case 'fallSilent': {
        const run = this.#server(step.server).runs.get(this.#stream(step.stream));
        if (run !== undefined) run.flowing = false;
        break;
      }
      case 'restartEncoder':
        await this.#restartEncoder(this.#server(step.server), this.#stream(step.stream), true);
        break;
      case 'loseReply':
        await this.#restartEncoder(this.#server(step.server), this.#stream(step.stream), false);
        break;
      case 'release':
        await this.#release(this.#server(step.server), this.#stream(step.stream), step.reason);
        break;
      case 'crash':
        this.#server(step.server).alive = false;
        this.#server(step.server).runs.clear();
        break;
      case 'cutOff':
        this.#server(step.server).connected = false;
        break;
      case 'reconnect':
        this.#server(step.server).alive = true;
        this.#server(step.server).connected = true;
        break;
      case 'replay':
        await this.#replay(step.index);
        break;
      case 'skewClock':
        this.#server(step.server).clockSkewMs = step.ms;
        break;
      case 'empty':
        await this.#empty();
        break;
    }
    await this.#checkRecords();
    await this.#checkEvents();
  }

  /** Whoever is dead by now gives its streams up to the first who asks. */
  async finish(): Promise<void> {
    const [dead, heir, other] = this.#servers;
    assert(dead !== undefined && heir !== undefined && other !== undefined);
    for (const server of [heir, other]) {
      server.alive = true;
      server.connected = true;
    }
    dead.alive = false;
    dead.runs.clear();
    await this.#advance(12_000);
    for (const stream of this.#streams) {
      const healthy = this.#isHealthy(heir, stream) || this.#isHealthy(other, stream);
      await this.#publish(heir, stream, false);
      if (!healthy) assert(heir.runs.get(stream)?.flowing === true, `${stream} of a dead owner was not granted`);
    }
    await this.#checkRecords();
    await this.#checkEvents();
  }

  #server(index: number): Server {
    const server = this.#servers[index];
    assert(server !== undefined);
    return server;
  }

  #stream(index: number): StreamId {
    const stream = this.#streams[index];
    assert(stream !== undefined);
    return stream;
  }

  #isHealthy(server: Server, stream: StreamId): boolean {
    const run = server.runs.get(stream);
    return server.alive && run?.state === 'live' && mediaAgeMs(run, this.#nowMs) < QUIET_MS;
  }

  async #advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) {
      const slice = Math.min(1_000, endMs - this.#nowMs);
      await this.#made.advance(slice);
      this.#nowMs += slice;
      for (const server of this.#servers) if (server.alive) await this.#live(server);
      this.#forget();
      if (this.#nowMs < this.#reapDueMs) continue;
      this.#reapDueMs = this.#nowMs + REAP_MS;
      await this.#reap();
    }
  }

  /** Keys expire: what nobody reports may be unknown again, as if the registry had been emptied of it. */
  #forget(): void {
    for (const { current, oracle } of this.#judges) {
      if (current === undefined || this.#nowMs - current.heardAtMs <= (this.#made.forgetsAfterMs ?? Infinity)) continue;
      oracle.emptied();
      this.#emptiedAtMs = current.heardAtMs;
    }
  }

  /** The reaper asks the server itself, which answers as long as it lives, registry or not. */
  async #reap(): Promise<void> {
    for (const session of await this.#made.registry.silentSessions()) {
      const { streamId, sessionId, epoch } = session;
      const judge = this.#judge(streamId);
      const { current } = judge;
      assert(current !== undefined && epoch >= current.since && epoch <= current.grant.epoch);
      const run = current.server.runs.get(streamId);
      const reports = judge.owns(current.server) && this.#nowMs - (run?.reportedAtMs ?? 0) <= LEASE_MS;
      assert(!reports, `${streamId}: was found silent while its server reports it`);
      if (current.server.alive && run?.grant.sessionId === sessionId) continue;
      assert(await this.#made.registry.endSilent(session), `${streamId}: silent, and not ended`);
      judge.reaped(sessionId);
    }
    await this.#checkEvents();
  }

  #judge(stream: StreamId): StreamJudge {
    const judge = this.#judges.find((each) => each.stream === stream);
    assert(judge !== undefined);
    return judge;
  }

  /** What a living server does as time goes by: publishes segments and gaps, ends sessions, reports. */
  async #live(server: Server): Promise<void> {
    for (const [stream, run] of server.runs) {
      if (run.flowing) run.mediaAtMs = this.#nowMs;
      while (run.segmentDueMs <= this.#nowMs) {
        run.segmentDueMs += SEGMENT_MS;
        if (!run.flowing && run.state === 'live') continue;
        run.nextMsn += 1;
        run.shaped = true;
        this.#judge(stream).used(server, run.nextMsn);
      }
      if (run.state === 'interrupted' && this.#nowMs > run.windowEndsAtMs) await this.#release(server, stream, 'ended');
    }
    if (server.beatDueMs > this.#nowMs) return;
    server.beatDueMs = this.#nowMs + HEARTBEAT_MS;
    if (server.connected) await this.#beat(server);
    else server.missedBeatAtMs = this.#nowMs;
  }

  async #beat(server: Server): Promise<void> {
    this.#seq += 1;
    const request: HeartbeatRequest = {
      serverId: server.id,
      seq: this.#seq,
      address: { private: `http://${server.id}.internal:8000` },
      ingest: `${server.id}.internal:1935`,
      capacity: { streams: server.runs.size, maxStreams: 4, ready: true, draining: false },
      streams: [...server.runs].map(([stream, run]) => reportOfRun(server, stream, run, this.#nowMs)),
    };
    this.#sent.push({ kind: 'heartbeat', request, atMs: this.#nowMs, era: this.#era });
    const reply = await this.#made.registry.heartbeat(request);
    for (const [stream, run] of server.runs) {
      run.reportedAtMs = this.#nowMs;
      this.#judge(stream).reported(server, run, this.#nowMs);
    }
    for (const { streamId, epoch, reason } of reply.lost) {
      const owns = this.#judge(streamId).owns(server) && reason === 'superseded';
      assert(!owns, `${server.id} was told that it lost what it owns`);
      if (server.runs.get(streamId)?.grant.epoch === epoch) server.runs.delete(streamId);
    }
    assert(reply.peers.every((peer) => peer.serverId !== server.id));
  }

  async #claim(
    server: Server,
    stream: StreamId,
    more: Pick<ClaimRequest, 'playback' | 'replaces'>,
  ): Promise<ClaimReply> {
    this.#claims += 1;
    const request: ClaimRequest = {
      streamId: stream,
      serverId: server.id,
      claimId: `claim-${this.#claims}`,
      address: { private: `http://${server.id}.internal:8000` },
      record: 'all',
      ...more,
    };
    const reply = await this.#made.registry.claim(request);
    this.#sent.push({ kind: 'claim', request, reply, atMs: this.#nowMs, era: this.#era });
    if (reply.outcome === 'granted') this.#granted(server, stream, reply, request.playback);
    return reply;
  }

  #granted(server: Server, stream: StreamId, grant: Granted, playback: ClaimRequest['playback']): void {
    const judge = this.#judge(stream);
    const owner = judge.current?.server;
    const reportedAtMs = owner?.runs.get(stream)?.reportedAtMs ?? 0;
    // What was wiped and could not be reported since is not known to anybody.
    const unknown = reportedAtMs <= this.#emptiedAtMs && (owner?.missedBeatAtMs ?? -1) >= this.#emptiedAtMs;
    const healthy = owner !== undefined && !unknown && this.#isHealthy(owner, stream) ? owner : undefined;
    judge.granted(server, grant, playback, { nowMs: this.#nowMs, healthy });
  }

  #run(server: Server, stream: StreamId, grant: Granted): void {
    const held = server.runs.get(stream);
    const same = held?.grant.sessionId === grant.sessionId ? held : undefined;
    server.runs.set(stream, {
      grant,
      state: 'live',
      flowing: true,
      mediaAtMs: this.#nowMs,
      // The window that it still holds goes on with its own numbers.
      nextMsn: same?.nextMsn ?? grant.carryOn.nextMsn,
      segmentDueMs: this.#nowMs + SEGMENT_MS,
      windowEndsAtMs: 0,
      reportedAtMs: this.#nowMs,
      shaped: same?.shaped ?? grant.carryOn.shape !== undefined,
    });
  }

  /** A publisher connects: the claim as a transcoder makes it. */
  async #publish(server: Server, stream: StreamId, signed: boolean): Promise<void> {
    if (!server.alive || !server.connected || this.#isHealthy(server, stream)) return;
    const playback = signed ? 'signed' : 'public';
    const first = await this.#claim(server, stream, { playback });
    if (first.outcome === 'granted') this.#run(server, stream, first);
    if (first.outcome !== 'owned') return;
    const owner = this.#servers.find((each) => each.id === first.ownerServerId);
    assert(owner !== undefined);
    if (owner.alive && this.#isHealthy(owner, stream)) return;
    if (!owner.alive && first.leaseAgeMs <= 8_000) return;
    const second = await this.#claim(server, stream, { playback, replaces: first.ownerEpoch });
    if (second.outcome === 'granted') this.#run(server, stream, second);
    assert(owner.alive || second.outcome === 'granted', `${stream}: the dead ${owner.id} was not displaced`);
  }

  /** @param heard whether the reply to the claim arrives */
  async #restartEncoder(server: Server, stream: StreamId, heard: boolean): Promise<void> {
    const run = server.runs.get(stream);
    if (!server.connected || run?.state !== 'live') return;
    const playback = run.grant.playback ?? 'public';
    const reply = await this.#claim(server, stream, { playback });
    if (reply.outcome === 'granted' && heard) this.#run(server, stream, reply);
  }

  async #release(server: Server, stream: StreamId, reason: ReleaseRequest['reason']): Promise<void> {
    const run = server.runs.get(stream);
    if (!server.alive || !server.connected || run === undefined) return;
    const { epoch } = run.grant;
    const report = reportOfRun(server, stream, run, this.#nowMs);
    const request: ReleaseRequest = {
      streamId: stream,
      epoch,
      reason,
      report,
      ...(reason === 'interrupted' && { windowMs: WINDOW_MS }),
    };
    this.#sent.push({ kind: 'release', request, atMs: this.#nowMs, era: this.#era });
    const reply = await this.#made.registry.release(request);
    this.#judge(stream).released(run, reason, reply.outcome, this.#nowMs);
    if (reason === 'interrupted') {
      if (run.state === 'live') run.windowEndsAtMs = this.#nowMs + WINDOW_MS;
      run.state = 'interrupted';
      run.flowing = false;
    } else {
      server.runs.delete(stream);
    }
  }

  /** The network delivers a call once more; nobody hears the answer. */
  async #replay(index: number): Promise<void> {
    const recent = this.#sent.filter((call) => this.#nowMs - call.atMs < REPLAY_MS);
    const call = recent[index % Math.max(1, recent.length)];
    // A wiped registry believes the first report that it gets, so none from before is let loose on it.
    const sentBefore = call !== undefined && call.era < this.#era;
    if (call?.kind === 'heartbeat' && !sentBefore) await this.#made.registry.heartbeat(call.request);
    if (call?.kind === 'release') await this.#made.registry.release(call.request);
    if (call?.kind !== 'claim') return;
    const reply = await this.#made.registry.claim(call.request);
    if (call.reply.outcome === 'granted' && !sentBefore) assert.deepEqual(reply, call.reply);
    else if (reply.outcome === 'granted') {
      call.reply = reply;
      call.era = this.#era;
      this.#granted(this.#serverOf(call.request), call.request.streamId, reply, call.request.playback);
    }
  }

  #serverOf(request: ClaimRequest): Server {
    const server = this.#servers.find((each) => each.id === request.serverId);
    assert(server !== undefined);
    return server;
  }

  async #empty(): Promise<void> {
    await this.#made.empty();
    this.#emptiedAtMs = this.#nowMs;
    this.#era += 1;
    const clockSeconds = (await this.#made.nowMs()) / 1_000;
    for (const judge of this.#judges) judge.emptied(clockSeconds);
  }

  async #checkEvents(): Promise<void> {
    for (const { stream, oracle } of this.#judges) oracle.check(await drainOutbox(this.#made, stream));
  }

  async #checkRecords(): Promise<void> {
    for (const judge of this.#judges) {
      const record = await this.#made.registry.resolve(judge.stream);
      if (record !== undefined) judge.checkRecord(record, this.#emptiedAtMs < 0);
    }
  }
}
