/**
 * The function `registry`: claims, heartbeats and releases of transcoders, which hold no Redis credentials.
 */
import { registryCallSchema } from '../../contracts/function_calls.ts';
import type { RegistryCall } from '../../contracts/function_calls.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings } from '../../contracts/settings.ts';
import { createHandler } from '../create_handler.ts';
import type { FunctionHandler } from '../create_handler.ts';
import type { FunctionLog } from '../function_log.ts';
import { heartbeatMetrics } from '../heartbeat_metrics.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import type { FleetRegistry } from '../registry/fleet_registry.ts';
import { controlPlaneFromEnvironment } from '../control_plane.ts';
import type { OutboxPump } from '../outbox_pump.ts';

export interface RegistryFunctionOptions {
  readonly registry: FleetRegistry;
  /** Hands over the events that the calls make, before they are answered. */
  readonly pump: OutboxPump;
  /** Name under which heartbeats become metrics of CloudWatch; absent: they do not. */
  readonly fleet?: string;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

async function perform(registry: FleetRegistry, call: RegistryCall): Promise<object> {
  switch (call.operation) {
    case 'claim':
      return registry.claim(call.request);
    case 'heartbeat':
      return registry.heartbeat(call.request);
    case 'release':
      return registry.release(call.request);
    case 'notify':
      return registry.notify(call.request);
    case 'streams':
      return { streams: await registry.streams() };
    case 'sessions':
      return { sessions: await registry.sessions(call.streamId) };
    case 'stop':
      return { done: await registry.stop(call.streamId, call.reason) };
    case 'drain':
      return { done: await registry.drain(call.serverId, call.draining) };
  }
}

function describe(call: RegistryCall, reply: object): Readonly<Record<string, unknown>> {
  const { operation } = call;
  // People's calls hold nothing secret.
  if (operation === 'streams' || operation === 'sessions' || operation === 'stop' || operation === 'drain') return call;
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

export function createRegistryFunction(options: RegistryFunctionOptions): FunctionHandler {
  const { registry, pump, fleet, log, nowMs } = options;
  return createHandler({
    name: 'registry',
    schema: registryCallSchema,
    act: async (call) => {
      try {
        const reply = await perform(registry, call);
        if (fleet !== undefined && call.operation === 'heartbeat') {
          const metrics = heartbeatMetrics(fleet, nowMs(), call.request);
          if (metrics !== undefined) log('info', 'heartbeat', { serverId: call.request.serverId, ...metrics });
        }
        return reply;
      } finally {
        await pump.afterCall();
      }
    },
    describe,
    log,
    clock: { nowMs },
  });
}

function compose(env: Environment, log: FunctionLog): FunctionHandler {
  const { registry, pump } = controlPlaneFromEnvironment(env, log);
  const { functionPrefix: fleet } = readSettings(SETTINGS, env);
  return createRegistryFunction({ registry, pump, fleet, log, nowMs: Date.now });
}

export const handler = lambdaEntry(compose, process.env);
