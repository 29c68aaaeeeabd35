/**
 * Program: the functions behind a local Invoke endpoint. With REDIS_URL several machines share one registry; without it
 * the registry lives in this process's memory.
 */
import { randomBytes } from 'node:crypto';
import type { FunctionName } from '../contracts/function_calls.ts';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings } from '../contracts/settings.ts';
import type { FunctionHandler } from '../functions/create_handler.ts';
import { createAskOwner } from '../functions/ask_owner.ts';
import { createControlPlane } from '../functions/control_plane.ts';
import { createFunctionLog } from '../functions/function_log.ts';
import type { FunctionLog } from '../functions/function_log.ts';
import { composeAuthorizePublish } from '../functions/handlers/authorize_publish.ts';
import { composeFinalizeVod } from '../functions/handlers/finalize_vod.ts';
import { createReapSessionsFunction } from '../functions/handlers/reap_sessions.ts';
import { createRegistryFunction } from '../functions/handlers/registry.ts';
import { createResolveFunction } from '../functions/handlers/resolve.ts';
import { listOpenRecordings } from '../functions/open_recordings.ts';
import { redisRegistryFromEnvironment } from '../functions/redis_from_environment.ts';
import type { FleetRegistry } from '../functions/registry/fleet_registry.ts';
import { createMemoryRegistry } from '../functions/registry/memory_registry.ts';
import { REGISTRY_TIMES } from '../functions/registry/registry_times.ts';
import { openStore } from '../storage/open_store.ts';
import { startInvokeServer } from './invoke_server.ts';
import type { InvokeServer } from './invoke_server.ts';
import { openLocalEvents } from './local_events.ts';
import type { LocalEvents } from './local_events.ts';

const random = (length: number): Uint8Array => randomBytes(length);

/** How often silent sessions are looked for, and events that the queue did not take at once are handed to it again, ms. */
const REAP_EVERY_MS = 60_000;

type Environment = Readonly<Record<string, string | undefined>>;

interface Composed {
  /** By name, the prefix of the stage included. */
  readonly functions: Map<string, FunctionHandler>;
  readonly registry: FleetRegistry;
  readonly reap: FunctionHandler;
  readonly events: LocalEvents;
}

function openRegistry(env: Environment, log: FunctionLog): FleetRegistry {
  const { redisUrl, reconnectWindow } = readSettings(SETTINGS, env);
  if (redisUrl !== undefined) return redisRegistryFromEnvironment(env, random, log);
  return createMemoryRegistry({
    clock: { nowMs: Date.now },
    random,
    reconnectWindowMs: reconnectWindow * 1_000,
    // Other processes hold streams that this registry, just started, does not know of.
    settleMs: REGISTRY_TIMES.settleMs,
  });
}

async function composeFunctions(env: Environment, log: FunctionLog): Promise<Composed> {
  const settings = readSettings(SETTINGS, env);
  const named = (name: FunctionName) => `${settings.functionPrefix}${name}`;
  const registry = openRegistry(env, log);
  const events = await openLocalEvents(settings, log);
  const { pump, announceVod } = createControlPlane({ registry, queue: events.queue, log });
  const functions = new Map<string, FunctionHandler>([
    [named('authorizePublish'), composeAuthorizePublish(env, log)],
    [named('registry'), createRegistryFunction({ registry, pump, log, nowMs: Date.now })],
  ]);
  const { recordingStore, s3Endpoint, mediaToken } = settings;
  const store = recordingStore === undefined ? undefined : openStore(recordingStore, { s3Endpoint });
  const finalize = store === undefined ? undefined : composeFinalizeVod(env, log, announceVod);
  if (finalize !== undefined) functions.set(named('finalizeVod'), finalize);
  const reap = createReapSessionsFunction({
    sessions: registry,
    askOwner: createAskOwner({ mediaToken }),
    finalizeVod: async (recording) => {
      await finalize?.(recording, { awsRequestId: 'reaper' });
    },
    listOpenRecordings: store === undefined ? undefined : () => listOpenRecordings(store),
    pump,
    log,
    nowMs: Date.now,
  });
  functions.set(named('reapSessions'), reap);
  return { functions, registry, reap, events };
}

/** @throws Error in one line: a bad setting, a taken port */
export async function startFunctions(env: Environment, log: FunctionLog): Promise<InvokeServer> {
  refuseUnknownSettings(SETTING_NAMES, env);
  const settings = readSettings(SETTINGS, env);
  const { functions, registry, reap, events } = await composeFunctions(env, log);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const server = await startInvokeServer({
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
  const schedule = setInterval(() => void reap({}, { awsRequestId: 'schedule' }), REAP_EVERY_MS);
  return {
    ...server,
    close: async () => {
      clearInterval(schedule);
      await server.close();
      await events.close();
    },
  };
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
