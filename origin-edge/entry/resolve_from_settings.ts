/**
 * How an edge with a life of its own (Node, Deno) finds streams: in Redis when REDIS_URL is set, else over HTTP.
 */
import type { EdgeLog } from '../src/app.ts';
import { resolveOverHttp } from '../src/resolve_over_http.ts';
import type { RegistrySettings } from './edge_settings.ts';
import { resolveFromRedis } from './resolve_from_redis.ts';
import type { RedisResolve } from './resolve_from_redis.ts';

export function resolveFromSettings(registry: RegistrySettings, log: EdgeLog): RedisResolve {
  if (registry.kind === 'http') return { resolve: resolveOverHttp(registry), close: () => undefined };
  return resolveFromRedis({
    url: registry.url,
    onError: (error) => log('warn', 'Redis cannot be reached', { error: error.message }),
  });
}
