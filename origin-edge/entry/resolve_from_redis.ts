/**
 * Finds streams in the registry's Redis, for edges on Node and Deno: one connection (one per node of a cluster) that
 * all requests share, made anew when it breaks. It reads one key of a stream and writes nothing.
 */
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { EdgeDependencies } from '../../contracts/edge_dependencies.ts';
import { streamRecordSchema } from '../../contracts/registry.ts';
import { streamRecordKey } from '../../contracts/registry_key.ts';
import { parseRedisUrl } from '../../contracts/redis_url.ts';
import type { RedisUrl } from '../../contracts/redis_url.ts';
import { parsePayload } from '../../contracts/schema.ts';

export interface RedisResolve {
  /** Rejects when Redis does not answer within the time-out, or holds something that is no record. */
  readonly resolve: EdgeDependencies['resolve'];
  /** Closes the connections; what waits for them rejects. */
  readonly close: () => void;
}

export interface RedisResolveOptions {
  /** REDIS_URL: `redis://`, `rediss://` (TLS), `redis-cluster://` or `rediss-cluster://`. */
  readonly url: string;
  /**
   * Default 4000 ms: more than a slow registry takes, because the edge's look-up has a shorter patience of its own and
   * uses an answer that comes late.
   */
  readonly timeoutMs?: number;
  /** Told of connection errors, which end when the connection is back. */
  readonly onError: (error: Error) => void;
}

type Client = Redis | Cluster;

type ClientOptions = Pick<
  RedisOptions,
  | 'username'
  | 'password'
  | 'tls'
  | 'protocol'
  | 'connectTimeout'
  | 'commandTimeout'
  | 'socketTimeout'
  | 'maxRetriesPerRequest'
>;

/** Connects when it is first used. @throws RedisUrlError in one line, without the URL's value */
export function resolveFromRedis(options: RedisResolveOptions): RedisResolve {
  const connection = new Connection(parseRedisUrl(options.url), options.timeoutMs ?? 4000, options.onError);
  return {
    resolve: async (streamId) => {
      const client = await connection.client();
      const text = await client.get(streamRecordKey(streamId));
      return text === null ? undefined : parsePayload(streamRecordSchema, JSON.parse(text), 'record');
    },
    close: () => connection.close(),
  };
}

class Connection {
  readonly #where: RedisUrl;
  readonly #options: ClientOptions;
  readonly #onError: (error: Error) => void;
  readonly #open = new Set<Client>();
  #client: Promise<Client> | undefined;
  #isClosed = false;

  constructor(where: RedisUrl, timeoutMs: number, onError: (error: Error) => void) {
    this.#where = where;
    this.#onError = onError;
    this.#options = {
      ...(where.username === undefined ? {} : { username: where.username }),
      ...(where.password === undefined ? {} : { password: where.password }),
      ...(where.secure ? { tls: { servername: where.host } } : {}),
      protocol: 3,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      // A peer that vanished without a word is noticed by its silence, and the connection made anew.
      socketTimeout: 2 * timeoutMs,
      // A command waits for one new connection, not for many: the edge has its last known answer.
      maxRetriesPerRequest: 1,
    };
  }

  /** Once it has connected; a failure is tried anew by the next who asks. */
  client(): Promise<Client> {
    if (this.#isClosed) return Promise.reject(new Error('the connection to Redis was closed'));
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#open) client.disconnect();
    this.#open.clear();
  }

  async #connect(): Promise<Client> {
    const { host, port, db, cluster } = this.#where;
    if (cluster) return this.#connectCluster();
    const redis = this.#watch(
      new Redis({
        ...this.#options,
        host,
        port,
        db,
        lazyConnect: true,
        // Short enough that a failover is seen within a second of Redis' return.
        retryStrategy: (times) => Math.min(50 * 2 ** times, 500),
      }),
    );
    try {
      await redis.connect();
      if (!(await redis.info('cluster')).includes('cluster_enabled:1')) return redis;
    } catch (error) {
      this.#drop(redis);
      throw error;
    }
    this.#drop(redis);
    return this.#connectCluster();
  }

  async #connectCluster(): Promise<Client> {
    const { host, port } = this.#where;
    const cluster = this.#watch(
      new Cluster([{ host, port }], {
        redisOptions: this.#options,
        lazyConnect: true,
        // Certificates of managed clusters name hosts, not addresses.
        dnsLookup: (address, callback) => callback(null, address),
      }),
    );
    try {
      await cluster.connect();
      return cluster;
    } catch (error) {
      this.#drop(cluster);
      throw error;
    }
  }

  #watch<Watched extends Client>(client: Watched): Watched {
    this.#open.add(client);
    client.on('error', this.#onError);
    return client;
  }

  #drop(client: Client): void {
    client.disconnect();
    this.#open.delete(client);
  }
}
