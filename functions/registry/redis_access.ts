/**
 * How the registry reaches Redis: one server or a cluster, found out when it first connects, and scripts run on it in
 * one round trip per node.
 */
import { Cluster, Redis } from 'ioredis';
import type { ChainableCommander, RedisOptions } from 'ioredis';
import { parseRedisUrl } from '../../contracts/redis_url.ts';
import { clusterSlot, tagInSlot } from './cluster_slot.ts';
import type { RedisScript } from './redis_script.ts';

export interface ScriptCall {
  readonly script: RedisScript;
  /** All in one slot. */
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

export interface RedisAccess {
  /** The results in the calls' order; one pipeline per node. Rejects if any call fails. */
  run(calls: readonly ScriptCall[]): Promise<unknown[]>;
  get(key: string): Promise<string | null>;
  /** All fields of a hash. */
  hash(key: string): Promise<Record<string, string>>;
  /** A key of that name on each node, where `name` may be lost only together with all that the node holds. */
  keysOnEachNode(name: string): Promise<readonly string[]>;
  /** The one of those that lies on the node of `key`. */
  keyBeside(name: string, key: string): Promise<string>;
  /** True when keys of different slots can stand in one script. */
  isOneNode(): Promise<boolean>;
  /** Empties nothing, waits for nothing: closes the connections. */
  close(): void;
}

export interface RedisAccessOptions {
  /**
   * `redis://` or `rediss://` (TLS), with user and password if need be. Whether a cluster answers there is asked;
   * `redis-cluster://` and `rediss-cluster://` say so for servers that do not tell.
   */
  readonly url: string;
  /** TLS options beside what the scheme implies, such as a private authority's certificate. */
  readonly tls?: NonNullable<RedisOptions['tls']>;
  /** A command that takes longer has failed, ms. */
  readonly commandTimeoutMs?: number;
  /** Told of connection errors, which end when the connection is back. */
  readonly onError?: (error: Error) => void;
}

const COMMAND_TIMEOUT_MS = 2_000;

type ClientOptions = Pick<
  RedisOptions,
  | 'username'
  | 'password'
  | 'tls'
  | 'commandTimeout'
  | 'connectTimeout'
  | 'socketTimeout'
  | 'maxRetriesPerRequest'
  | 'autoResendUnfulfilledCommands'
>;

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly cluster: boolean;
  readonly options: ClientOptions;
}

function readUrl({ url, tls, commandTimeoutMs = COMMAND_TIMEOUT_MS }: RedisAccessOptions): Endpoint {
  const { host, port, db, cluster, username, password, secure } = parseRedisUrl(url);
  return {
    host,
    port,
    db,
    cluster,
    options: {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(secure && { tls: { servername: host, ...tls } }),
      commandTimeout: commandTimeoutMs,
      connectTimeout: commandTimeoutMs,
      // A peer that vanished without a word is noticed by its silence, and the connection made anew.
      socketTimeout: 2 * commandTimeoutMs,
      // What fails is reported at once: the callers have retries of their own, and a stale change must not be replayed.
      maxRetriesPerRequest: 1,
      autoResendUnfulfilledCommands: false,
    },
  };
}

type Client = { readonly kind: 'one'; readonly redis: Redis } | { readonly kind: 'cluster'; readonly cluster: Cluster };

class Access implements RedisAccess {
  readonly #endpoint: Endpoint;
  readonly #onError: (error: Error) => void;
  #client: Promise<Client> | undefined;
  readonly #open = new Set<Redis | Cluster>();
  #closed = false;

  constructor(options: RedisAccessOptions) {
    this.#endpoint = readUrl(options);
    this.#onError = options.onError ?? (() => undefined);
  }

  async run(calls: readonly ScriptCall[]): Promise<unknown[]> {
    if (calls.length === 0) return [];
    const client = await this.#connected();
    if (client.kind === 'one') return runOn(client.redis, calls);
    const byNode = new Map<string, number[]>();
    for (const [index, call] of calls.entries()) {
      const node = nodeOf(client.cluster, call.keys[0] ?? '');
      byNode.set(node, [...(byNode.get(node) ?? []), index]);
    }
    const results: unknown[] = [];
    await Promise.all(
      [...byNode.values()].map(async (indexes) => {
        const replies = await runOn(
          client.cluster,
          indexes.flatMap((index) => calls[index] ?? []),
        );
        for (const [position, index] of indexes.entries()) results[index] = replies[position];
      }),
    );
    return results;
  }

  async get(key: string): Promise<string | null> {
    const client = await this.#connected();
    return client.kind === 'one' ? client.redis.get(key) : client.cluster.get(key);
  }

  async hash(key: string): Promise<Record<string, string>> {
    const client = await this.#connected();
    return client.kind === 'one' ? client.redis.hgetall(key) : client.cluster.hgetall(key);
  }

  async keysOnEachNode(name: string): Promise<readonly string[]> {
    const client = await this.#connected();
    if (client.kind === 'one') return [name];
    const nodes = new Set(client.cluster.slots.map((owners) => owners[0] ?? ''));
    return [...nodes].filter((node) => node !== '').map((node) => markerOf(client.cluster, name, node));
  }

  async keyBeside(name: string, key: string): Promise<string> {
    const client = await this.#connected();
    if (client.kind === 'one') return name;
    return markerOf(client.cluster, name, nodeOf(client.cluster, key));
  }

  async isOneNode(): Promise<boolean> {
    return (await this.#connected()).kind === 'one';
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#open) client.disconnect();
    this.#open.clear();
  }

  /** The client, once it has answered; what fails is tried anew by the next caller. */
  #connected(): Promise<Client> {
    if (this.#closed) return Promise.reject(new Error('the connection to Redis was closed'));
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #connect(): Promise<Client> {
    if (this.#endpoint.cluster) return this.#connectCluster();
    const { host, port, db, options } = this.#endpoint;
    const redis = this.#watch(
      new Redis({
        ...options,
        host,
        port,
        db,
        lazyConnect: true,
        retryStrategy: (times) => Math.min(50 * 2 ** times, 2_000),
      }),
    );
    try {
      await redis.connect();
      if (!(await redis.info('cluster')).includes('cluster_enabled:1')) return { kind: 'one', redis };
    } catch (error) {
      this.#drop(redis);
      throw error;
    }
    this.#drop(redis);
    return this.#connectCluster();
  }

  async #connectCluster(): Promise<Client> {
    const { host, port, options } = this.#endpoint;
    const cluster = this.#watch(
      new Cluster([{ host, port }], {
        redisOptions: options,
        lazyConnect: true,
        // Certificates of managed clusters name hosts, not addresses.
        dnsLookup: (address, callback) => callback(null, address),
        slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
      }),
    );
    try {
      await cluster.connect();
      return { kind: 'cluster', cluster };
    } catch (error) {
      this.#drop(cluster);
      throw error;
    }
  }

  #watch<Watched extends Redis | Cluster>(client: Watched): Watched {
    this.#open.add(client);
    client.on('error', this.#onError);
    return client;
  }

  #drop(client: Redis | Cluster): void {
    client.disconnect();
    this.#open.delete(client);
  }
}

function nodeOf(cluster: Cluster, key: string): string {
  return cluster.slots[clusterSlot(key)]?.[0] ?? '';
}

/** `name` with a tag that lies in the first slot of the node. */
function markerOf(cluster: Cluster, name: string, node: string): string {
  const slot = cluster.slots.findIndex((owners) => owners[0] === node);
  return `{${tagInSlot(Math.max(0, slot))}}:${name}`;
}

function add(pipeline: ChainableCommander, { script, keys, args }: ScriptCall, whole: boolean): void {
  if (whole) pipeline.eval(script.lua, keys.length, ...keys, ...args);
  else pipeline.evalsha(script.sha, keys.length, ...keys, ...args);
}

/** One pipeline of EVALSHA; a second one of EVAL for what the server did not know yet. */
async function runOn(client: Redis | Cluster, calls: readonly ScriptCall[]): Promise<unknown[]> {
  const results: unknown[] = [];
  const unknown: number[] = [];
  for (const [index, reply] of (await exec(client, calls, false)).entries()) {
    if (reply.error === undefined) results[index] = reply.value;
    else if (reply.error.message.startsWith('NOSCRIPT')) unknown.push(index);
    else throw reply.error;
  }
  if (unknown.length === 0) return results;
  const again = await exec(
    client,
    unknown.flatMap((index) => calls[index] ?? []),
    true,
  );
  for (const [position, reply] of again.entries()) {
    if (reply.error !== undefined) throw reply.error;
    results[unknown[position] ?? 0] = reply.value;
  }
  return results;
}

async function exec(
  client: Redis | Cluster,
  calls: readonly ScriptCall[],
  whole: boolean,
): Promise<{ readonly error: Error | undefined; readonly value: unknown }[]> {
  const pipeline = client.pipeline();
  for (const call of calls) add(pipeline, call, whole);
  const replies = await pipeline.exec();
  if (replies === null || replies.length !== calls.length) throw new Error('Redis gave no reply to the pipeline');
  return replies.map(([error, value]) => ({ error: error ?? undefined, value }));
}

/** Connects when it is first used. @throws RedisUrlError */
export function createRedisAccess(options: RedisAccessOptions): RedisAccess {
  return new Access(options);
}
