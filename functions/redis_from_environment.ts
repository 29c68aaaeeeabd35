/**
 * The Redis registry as the settings describe it.
 */
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings, SettingError } from '../contracts/settings.ts';
import type { FunctionLog } from './function_log.ts';
import type { Environment } from './lambda_entry.ts';
import type { FleetRegistry } from './registry/fleet_registry.ts';
import { createRedisAccess } from './registry/redis_access.ts';
import { createRedisRegistry } from './registry/redis_registry.ts';

/** @param random that many random bytes. @throws SettingError in one line */
export function redisRegistryFromEnvironment(
  env: Environment,
  random: (length: number) => Uint8Array,
  log: FunctionLog,
): FleetRegistry {
  const { redisUrl, reconnectWindow } = readSettings(SETTINGS, env);
  if (redisUrl === undefined) throw new SettingError('REDIS_URL: not set, wanted the URL of the registry');
  const redis = createRedisAccess({
    url: redisUrl,
    onError: ({ message }) => log('warn', 'Redis cannot be reached', { reason: message }),
  });
  return createRedisRegistry({ redis, random, reconnectWindowMs: reconnectWindow * 1_000 });
}
