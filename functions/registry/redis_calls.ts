/**
 * What the parts of the Redis registry share: the scripts, the clock's offset, and calls for a stream that are noted
 * before they are made, so that the events they leave behind are found.
 */
import type { StreamId } from '../../contracts/ids.ts';
import { eventScripts } from './event_scripts.ts';
import { fleetScripts } from './fleet_scripts.ts';
import { ownershipScripts } from './ownership_scripts.ts';
import type { RedisAccess, ScriptCall } from './redis_access.ts';
import { FLEET, MARKER } from './redis_keys.ts';
import type { RegistryTimes } from './registry_times.ts';

export interface RedisCallsOptions {
  readonly redis: RedisAccess;
  readonly times: RegistryTimes;
  readonly offsetMs: () => number;
}

export class RedisCalls {
  readonly redis: RedisAccess;
  readonly times: RegistryTimes;
  readonly ownership: ReturnType<typeof ownershipScripts>;
  readonly events: ReturnType<typeof eventScripts>;
  readonly fleet: ReturnType<typeof fleetScripts>;
  /** Streams whose outbox was seen to hold something. */
  readonly unsent = new Set<StreamId>();
  readonly #offsetMs: () => number;

  constructor({ redis, times, offsetMs }: RedisCallsOptions) {
    this.redis = redis;
    this.times = times;
    this.ownership = ownershipScripts(times);
    this.events = eventScripts(times);
    this.fleet = fleetScripts(times);
    this.#offsetMs = offsetMs;
  }

  /** ARGV[1] of every script. */
  get offset(): string {
    return String(this.#offsetMs());
  }

  /** What the arguments of every script that changes ownership begin with. */
  ownershipArgs(streamId: StreamId): readonly string[] {
    return [this.offset, String(this.times.reconnectWindowMs), streamId];
  }

  note(streamId: StreamId, claim = false): ScriptCall {
    return {
      script: this.fleet.note,
      keys: [FLEET.outboxes, FLEET.streams],
      args: [this.offset, streamId, claim ? '1' : '0'],
    };
  }

  /** One round trip on one node; on a cluster the note is there before the call is made. */
  async noted(streamId: StreamId, call: ScriptCall): Promise<unknown> {
    const note = this.note(streamId);
    if (await this.redis.isOneNode()) return (await this.redis.run([note, call]))[1];
    await this.redis.run([note]);
    return (await this.redis.run([call]))[0];
  }

  /** As `noted`, of a script that answers with an outcome and whether the outbox holds something. */
  async changed(streamId: StreamId, call: ScriptCall): Promise<string> {
    const [outcome = '', unsent] = strings(await this.noted(streamId, call));
    if (unsent === '1') this.unsent.add(streamId);
    return outcome;
  }

  touch(marker: string): ScriptCall {
    return { script: this.fleet.touchMarker, keys: [marker], args: [this.offset] };
  }

  /** The marker of the stream's node. */
  markerBeside(streamKey: string): Promise<string> {
    return this.redis.keyBeside(MARKER, streamKey);
  }
}

/** A script's reply that is a list. */
export function strings(value: unknown): readonly string[] {
  const list: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  throw new Error(`got ${typeof value} from a registry script, wanted a list of strings`);
}
