/**
 * The reaper's view of the registry on Redis.
 */
import { parseEpoch, parseSessionId } from '../../contracts/ids.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { serverAddressSchema } from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';
import type { SessionReaping, SessionState, SilentSession } from '../reap_sessions.ts';
import type { ScriptCall } from './redis_access.ts';
import { strings } from './redis_calls.ts';
import type { RedisCalls } from './redis_calls.ts';
import { FLEET, streamKeys } from './redis_keys.ts';
import { readMarks } from './redis_outbox.ts';
import { LEAST_WATCH_MS } from './registry_times.ts';

/** Silent streams that are looked at in one go. */
const MOST_LOOKS = 5_000;

export class RedisReaping implements SessionReaping {
  readonly #calls: RedisCalls;

  constructor(calls: RedisCalls) {
    this.#calls = calls;
  }

  async silentSessions(): Promise<readonly SilentSession[]> {
    const { redis, fleet, ownership, offset } = this.#calls;
    const [flat] = await redis.run([
      { script: fleet.silentStreams, keys: [FLEET.streams], args: [offset, String(MOST_LOOKS)] },
    ]);
    const silent = readMarks(flat);
    const looks = await redis.run(
      silent.map(({ streamId }) => ({
        script: ownership.look,
        keys: streamKeys(streamId),
        args: this.#calls.ownershipArgs(streamId),
      })),
    );
    const due: SilentSession[] = [];
    const over: ScriptCall[] = [];
    for (const [index, { streamId, mark }] of silent.entries()) {
      const [outcome, sessionId, epoch, address = '', renewedAtMs] = strings(looks[index]);
      if (outcome === 'over')
        over.push({ script: fleet.forget, keys: [FLEET.streams], args: [offset, streamId, mark] });
      if (outcome !== 'due') continue;
      due.push({
        streamId,
        sessionId: parseSessionId(sessionId),
        epoch: parseEpoch(epoch),
        address: parsePayload(serverAddressSchema, JSON.parse(address), 'address'),
        renewedAtMs: Number(renewedAtMs),
      });
    }
    await redis.run(over);
    return due;
  }

  async endSilent({ streamId, epoch, renewedAtMs }: SilentSession): Promise<boolean> {
    const outcome = await this.#calls.changed(streamId, {
      script: this.#calls.ownership.reap,
      keys: streamKeys(streamId),
      args: [...this.#calls.ownershipArgs(streamId), String(epoch), String(renewedAtMs)],
    });
    return outcome === 'ended';
  }

  async sessionState(streamId: StreamId, sessionId: SessionId): Promise<SessionState> {
    const { redis, ownership, times } = this.#calls;
    const keys = streamKeys(streamId);
    const marker = await this.#calls.markerBeside(keys[0] ?? '');
    const [state, marked] = await redis.run([
      { script: ownership.sessionState, keys, args: [...this.#calls.ownershipArgs(streamId), sessionId] },
      this.#calls.touch(marker),
    ]);
    const [running, endedForMs = '', known] = strings(state);
    if (running === '1') return { state: 'running' };
    const foundEmptyForMs = times.settleMs - Number(strings(marked)[0]);
    const unsure = known === '0' && foundEmptyForMs < Math.max(times.reconnectWindowMs, LEAST_WATCH_MS);
    if (endedForMs === '' && unsure) return { state: 'unknown' };
    return { state: 'over', ...(endedForMs !== '' && { endedForMs: Number(endedForMs) }) };
  }
}
