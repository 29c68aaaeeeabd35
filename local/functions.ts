/**
 * Program: the functions behind a local Invoke endpoint. With REDIS_URL several machines share one registry; without it
 * the registry lives in this process's memory.
 */
import { randomBytes } from 'node:crypto';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings } from '../contracts/settings.ts';
import type { FunctionHandler } from '../functions/create_handler.ts';
import { createFunctionLog } from '../functions/function_log.ts';
import type { FunctionLog } from '../functions/function_log.ts';
import { composeAuthorizePublish } from '../functions/handlers/authorize_publish.ts';
import { createRegistryFunction } from '../functions/handlers/registry.ts';
import { createResolveFunction } from '../functions/handlers/resolve.ts';
import { redisRegistryFromEnvironment } from '../functions/redis_from_environment.ts';
import { createMemoryRegistry } from '../functions/registry/memory_registry.ts';
import { REGISTRY_TIMES } from '../functions/registry/ownership.ts';
import { startInvokeServer } from './invoke_server.ts';
import type { InvokeServer } from './invoke_server.ts';

const random = (length: number): Uint8Array => randomBytes(length);

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Error in one line: a bad setting, a taken port */
export async function startFunctions(env: Environment, log: FunctionLog): Promise<InvokeServer> {
  refuseUnknownSettings(SETTING_NAMES, env);
  const settings = readSettings(SETTINGS, env);
  const registry =
    settings.redisUrl === undefined
      ? createMemoryRegistry({
          clock: { nowMs: Date.now },
          random,
          reconnectWindowMs: settings.reconnectWindow * 1_000,
          // Other processes hold streams that this registry, just started, does not know of.
          settleMs: REGISTRY_TIMES.settleMs,
        })
      : redisRegistryFromEnvironment(env, random, log);
  const functions = new Map<string, FunctionHandler>([
    [`${settings.functionPrefix}authorizePublish`, composeAuthorizePublish(env, log)],
    [`${settings.functionPrefix}registry`, createRegistryFunction({ registry, log, nowMs: Date.now })],
  ]);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  return startInvokeServer({
    host: settings.bind,
    port: settings.port === undefined ? settings.functionsPort : Number(settings.port),
    functions,
    resolve:
      settings.resolveToken === undefined
        ? undefined
        : createResolveFunction({ registry, token: settings.resolveToken, log, nowMs: Date.now }),
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey },
    nowMs: Date.now,
    onError: (name, error) =>
      log('error', 'a function threw', { function: name, reason: error instanceof Error ? error.message : 'unknown' }),
  });
}

async function main(): Promise<void> {
  const log = createFunctionLog((line) => process.stderr.write(`${line}\n`), Date.now);
  const server = await startFunctions(process.env, log);
  if (process.stdout.isTTY) process.stdout.write(`functions are ready on port ${server.port}\n`);
  else
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ports: { functions: server.port } })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.close().then(() => process.exit(0)));
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    process.stderr.write(`headwater: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
