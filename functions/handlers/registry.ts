/**
 * The function `registry`: claims, heartbeats and releases of transcoders, which hold no Redis credentials.
 */
import { randomBytes } from 'node:crypto';
import { registryCallSchema } from '../../contracts/function_calls.ts';
import type { RegistryCall } from '../../contracts/function_calls.ts';
import type { FleetOperations, Registry } from '../../contracts/registry.ts';
import { createHandler } from '../create_handler.ts';
import type { FunctionHandler } from '../create_handler.ts';
import type { FunctionLog } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import { redisRegistryFromEnvironment } from '../redis_from_environment.ts';

export interface RegistryFunctionOptions {
  readonly registry: Registry & FleetOperations;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

async function perform(registry: Registry & FleetOperations, call: RegistryCall): Promise<object> {
  switch (call.operation) {
    case 'claim':
      return registry.claim(call.request);
    case 'heartbeat':
      return registry.heartbeat(call.request);
    case 'release':
      return registry.release(call.request);
    case 'notify':
      return { outcome: 'noted' };
    case 'streams':
      return { streams: await registry.streams() };
    case 'stop':
      return { done: await registry.stop(call.streamId, call.reason) };
    case 'drain':
      return { done: await registry.drain(call.serverId, call.draining) };
  }
}

function describe(call: RegistryCall, reply: object): Readonly<Record<string, unknown>> {
  const { operation } = call;
  // People's calls hold nothing secret.
  if (operation === 'streams' || operation === 'stop' || operation === 'drain') return call;
  if (operation === 'heartbeat') {
    const { serverId, seq, streams } = call.request;
    return { operation, serverId, seq, streams: streams.length };
  }
  const outcome = 'outcome' in reply ? reply.outcome : undefined;
  if (operation === 'notify') {
    const { id, type, streamId, epoch } = call.request;
    return { operation, id, type, streamId, epoch, outcome };
  }
  if (operation === 'release') {
    const { streamId, epoch, reason } = call.request;
    return { operation, streamId, epoch, reason, outcome };
  }
  const { streamId, serverId } = call.request;
  return { operation, streamId, serverId, outcome, epoch: 'epoch' in reply ? reply.epoch : undefined };
}

export function createRegistryFunction({ registry, log, nowMs }: RegistryFunctionOptions): FunctionHandler {
  return createHandler({
    name: 'registry',
    schema: registryCallSchema,
    act: (call) => perform(registry, call),
    describe,
    log,
    clock: { nowMs },
  });
}

function compose(env: Environment, log: FunctionLog): FunctionHandler {
  const registry = redisRegistryFromEnvironment(env, (length) => randomBytes(length), log);
  return createRegistryFunction({ registry, log, nowMs: Date.now });
}

export const handler = lambdaEntry(compose, process.env);
