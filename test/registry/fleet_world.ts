/**
 * A fleet of three transcoders as the registry sees them, in simulated time: they claim as docs/architecture.md says
 * (asking the owner), report every 3 s, crash, are cut off, restart. Checks the registry's promises as it goes.
 */
import assert from 'node:assert/strict';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatRequest,
  ReleaseRequest,
  StreamReport,
} from '../../contracts/registry.ts';
import type { RegistryUnderTest } from './registry_under_test.ts';

export type FleetStep =
  | { readonly do: 'publish'; readonly server: number; readonly stream: number; readonly signed: boolean }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'fallSilent' | 'restartEncoder'; readonly server: number; readonly stream: number }
  | {
      readonly do: 'release';
      readonly server: number;
      readonly stream: number;
      readonly reason: ReleaseRequest['reason'];
    }
  | { readonly do: 'crash' | 'cutOff' | 'reconnect'; readonly server: number }
  | { readonly do: 'replay'; readonly index: number }
  | { readonly do: 'skewClock'; readonly server: number; readonly ms: number }
  | { readonly do: 'empty' };

type Granted = Extract<ClaimReply, { outcome: 'granted' }>;

/** One stream on one server. */
interface Run {
  readonly grant: Granted;
  state: 'live' | 'interrupted';
  flowing: boolean;
  mediaAtMs: number;
  nextMsn: number;
  segmentDueMs: number;
  windowEndsAtMs: number;
  reportedAtMs: number;
}

interface Server {
  readonly id: string;
  alive: boolean;
  connected: boolean;
  clockSkewMs: number;
  beatDueMs: number;
  missedBeatAtMs: number;
  readonly runs: Map<StreamId, Run>;
}

/** A call, and how often the registry had been emptied when it was made. */
type Sent = { readonly atMs: number; era: number } & (
  | { readonly kind: 'claim'; readonly request: ClaimRequest; reply: ClaimReply }
  | { readonly kind: 'heartbeat'; readonly request: HeartbeatRequest }
  | { readonly kind: 'release'; readonly request: ReleaseRequest }
);

const HEARTBEAT_MS = 3_000;
const SEGMENT_MS = 2_000;
const QUIET_MS = 3_000;
const WINDOW_MS = 60_000;
/** A duplicate on the network is not older than this. */
const REPLAY_MS = 60_000;

export class FleetWorld {
  readonly #made: RegistryUnderTest;
  readonly #servers: readonly Server[];
  readonly #streams: readonly StreamId[] = ['one' as StreamId, 'two' as StreamId];
  readonly #sent: Sent[] = [];
  /** The last grant of each stream. */
  readonly #current = new Map<StreamId, { readonly server: Server; readonly grant: Granted }>();
  readonly #unusedMsn = new Map<StreamId, number>();
  readonly #signed = new Set<SessionId>();
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
        await this.#restartEncoder(this.#server(step.server), this.#stream(step.stream));
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
    return server.alive && run?.state === 'live' && this.#mediaAgeMs(run) < QUIET_MS;
  }

  #mediaAgeMs(run: Run): number {
    return run.flowing ? 0 : this.#nowMs - run.mediaAtMs;
  }

  async #advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) {
      const slice = Math.min(1_000, endMs - this.#nowMs);
      await this.#made.advance(slice);
      this.#nowMs += slice;
      for (const server of this.#servers) if (server.alive) await this.#live(server);
    }
  }

  /** What a living server does as time goes by: publishes segments and gaps, ends sessions, reports. */
  async #live(server: Server): Promise<void> {
    for (const [stream, run] of server.runs) {
      if (run.flowing) run.mediaAtMs = this.#nowMs;
      while (run.segmentDueMs <= this.#nowMs) {
        run.segmentDueMs += SEGMENT_MS;
        if (!run.flowing && run.state === 'live') continue;
        run.nextMsn += 1;
        if (this.#current.get(stream)?.grant.epoch === run.grant.epoch) this.#used(stream, run.nextMsn);
      }
      if (run.state === 'interrupted' && this.#nowMs > run.windowEndsAtMs) await this.#release(server, stream, 'ended');
    }
    if (server.beatDueMs > this.#nowMs) return;
    server.beatDueMs = this.#nowMs + HEARTBEAT_MS;
    if (server.connected) await this.#beat(server);
    else server.missedBeatAtMs = this.#nowMs;
  }

  #used(stream: StreamId, unusedMsn: number): void {
    this.#unusedMsn.set(stream, Math.max(unusedMsn, this.#unusedMsn.get(stream) ?? 0));
  }

  async #beat(server: Server): Promise<void> {
    this.#seq += 1;
    const request: HeartbeatRequest = {
      serverId: server.id,
      seq: this.#seq,
      address: { private: `http://${server.id}.internal:8000` },
      ingest: `${server.id}.internal:1935`,
      capacity: { streams: server.runs.size, maxStreams: 4, ready: true, draining: false },
      streams: [...server.runs].map(([stream, run]) => this.#report(server, stream, run)),
    };
    this.#sent.push({ kind: 'heartbeat', request, atMs: this.#nowMs, era: this.#era });
    const reply = await this.#made.registry.heartbeat(request);
    for (const run of server.runs.values()) run.reportedAtMs = this.#nowMs;
    for (const { streamId, epoch } of reply.lost) {
      assert.notEqual(
        this.#current.get(streamId)?.grant.epoch,
        epoch,
        `${server.id} was told that it lost what it owns`,
      );
      if (server.runs.get(streamId)?.grant.epoch === epoch) server.runs.delete(streamId);
    }
    assert(reply.peers.every((peer) => peer.serverId !== server.id));
  }

  #report(server: Server, stream: StreamId, run: Run): StreamReport {
    return {
      streamId: stream,
      epoch: run.grant.epoch,
      sessionId: run.grant.sessionId,
      startedAtMs: run.grant.startedAtMs,
      state: run.state,
      nextMsn: run.nextMsn,
      discontinuitySequence: run.grant.carryOn.discontinuitySequence,
      programDateTimeEndMs: 1_760_000_000_000 + this.#nowMs + server.clockSkewMs,
      playback: run.grant.playback ?? 'public',
      record: 'all',
      mediaAgeMs: this.#mediaAgeMs(run),
    };
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
    const before = this.#current.get(stream);
    assert(
      grant.epoch > (before?.grant.epoch ?? 0),
      `${stream}: epoch ${grant.epoch} is not above ${before?.grant.epoch}`,
    );
    const unused = this.#unusedMsn.get(stream) ?? 0;
    assert(grant.carryOn.nextMsn >= unused, `${stream}: MSN ${grant.carryOn.nextMsn} after ${unused - 1} was used`);
    if (before !== undefined && before.server !== server && this.#isHealthy(before.server, stream)) {
      const run = before.server.runs.get(stream);
      const owns = run?.grant.epoch === before.grant.epoch;
      // What was wiped and could not be reported since is not known to anybody.
      const unknown =
        (run?.reportedAtMs ?? 0) <= this.#emptiedAtMs && before.server.missedBeatAtMs >= this.#emptiedAtMs;
      assert(!owns || unknown, `${stream}: the healthy ${before.server.id} was displaced by ${server.id}`);
    }
    assert(playback === 'public' || grant.playback === 'signed', `${stream}: wanted signed, got ${grant.playback}`);
    if (grant.playback === 'signed') this.#signed.add(grant.sessionId);
    else assert(!this.#signed.has(grant.sessionId), `${stream}: became public`);
    this.#current.set(stream, { server, grant });
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
    const asked = owner.runs.get(stream);
    if (owner.alive && asked?.grant.epoch === first.ownerEpoch && this.#isHealthy(owner, stream)) return;
    if (!owner.alive && first.leaseAgeMs <= 8_000) return;
    const second = await this.#claim(server, stream, { playback, replaces: first.ownerEpoch });
    if (second.outcome === 'granted') this.#run(server, stream, second);
    assert(owner.alive || second.outcome === 'granted', `${stream}: the dead ${owner.id} was not displaced`);
  }

  async #restartEncoder(server: Server, stream: StreamId): Promise<void> {
    const run = server.runs.get(stream);
    if (!server.connected || run?.state !== 'live') return;
    const playback = run.grant.playback ?? 'public';
    const reply = await this.#claim(server, stream, { playback });
    if (reply.outcome === 'granted') this.#run(server, stream, reply);
  }

  async #release(server: Server, stream: StreamId, reason: ReleaseRequest['reason']): Promise<void> {
    const run = server.runs.get(stream);
    if (!server.alive || !server.connected || run === undefined) return;
    const { epoch } = run.grant;
    const report = this.#report(server, stream, run);
    const request: ReleaseRequest = {
      streamId: stream,
      epoch,
      reason,
      report,
      ...(reason === 'interrupted' && { windowMs: WINDOW_MS }),
    };
    this.#sent.push({ kind: 'release', request, atMs: this.#nowMs, era: this.#era });
    const reply = await this.#made.registry.release(request);
    if (this.#current.get(stream)?.grant.epoch === epoch) assert.equal(reply.outcome, 'released');
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
    for (const stream of this.#streams) {
      const owner = this.#current.get(stream);
      const restores =
        owner?.server.connected === true && owner.server.runs.get(stream)?.grant.epoch === owner.grant.epoch;
      // Jumps after crashes in quick succession can lead the clock by a little; only the registry knew by how much.
      if (!restores && (this.#unusedMsn.get(stream) ?? 0) > clockSeconds) this.#unusedMsn.delete(stream);
    }
  }

  async #checkRecords(): Promise<void> {
    for (const stream of this.#streams) {
      const record = await this.#made.registry.resolve(stream);
      if (record === undefined) continue;
      const current = this.#current.get(stream);
      assert(record.epoch <= (current?.grant.epoch ?? 0), `${stream}: resolves to an epoch that was never granted`);
      if (this.#emptiedAtMs < 0)
        assert.equal(record.epoch, current?.grant.epoch, `${stream}: resolves to an old owner`);
      if (this.#signed.has(record.sessionId)) assert.equal(record.playback, 'signed', `${stream}: became public`);
    }
  }
}
