/**
 * `REDIS_URL`, read the same way by the functions, which write the registry, and by the edges, which read it.
 */

/** One line that names the setting and shows no password. */
export class RedisUrlError extends Error {
  override readonly name = 'RedisUrlError';
}

export interface RedisUrl {
  /** A name or an address, IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
  /** Database number; a cluster has only 0. */
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** TLS. */
  readonly secure: boolean;
  /** True when the URL says that a cluster answers there; otherwise the server is asked. */
  readonly cluster: boolean;
}

const REDIS_URL =
  /^redis(s)?(-cluster)?:\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?(\[[0-9a-f:.]+\]|[^:@/?#[\]]+)(?::([0-9]{1,5}))?(?:\/([^?#]*))?$/i;

/** @throws RedisUrlError */
export function parseRedisUrl(text: string): RedisUrl {
  const match = REDIS_URL.exec(text);
  const host = match?.[5]?.replace(/^\[(.*)\]$/, '$1');
  const port = Number(match?.[6] ?? 6379);
  if (match === null || host === undefined || port > 65_535) {
    throw new RedisUrlError('REDIS_URL: wanted redis://host:port, rediss://…, redis-cluster://… or rediss-cluster://…');
  }
  const db = Number(match[7] ?? '');
  if (!Number.isInteger(db) || db < 0) {
    throw new RedisUrlError('REDIS_URL: wanted a database number, or nothing, after the host');
  }
  return {
    host,
    port,
    db,
    username: decode(match[3]),
    password: decode(match[4]),
    secure: match[1] !== undefined,
    cluster: match[2] !== undefined,
  };
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisUrlError('REDIS_URL: wanted user and password with %XX escapes that can be decoded');
  }
}
