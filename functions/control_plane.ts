/**
 * The registry together with the pump that empties its outbox: what the functions `registry`, `finalizeVod` and
 * `reapSessions` share.
 */
import { randomBytes } from 'node:crypto';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import type { EventQueue } from './events/event_queue.ts';
import { createSqsEventQueue } from './events/sqs_event_queue.ts';
import type { AnnounceVod } from './finalize_vod.ts';
import type { FunctionLog } from './function_log.ts';
import type { Environment } from './lambda_entry.ts';
import { createOutboxPump } from './outbox_pump.ts';
import type { OutboxPump } from './outbox_pump.ts';
import { redisRegistryFromEnvironment } from './redis_from_environment.ts';
import type { FleetRegistry } from './registry/fleet_registry.ts';

export interface ControlPlane {
  readonly registry: FleetRegistry;
  readonly pump: OutboxPump;
  /** The registry for who calls it in process: each call hands over the events that it makes before it is answered. */
  readonly pumped: Pick<FleetRegistry, 'claim' | 'heartbeat' | 'release' | 'resolve' | 'stop' | 'notify'>;
  /** Makes `vod.ready`, once per session, and hands it over. */
  readonly announceVod: AnnounceVod;
}

export interface ControlPlaneOptions {
  readonly registry: FleetRegistry;
  /** Undefined: nobody wants to be told of events. */
  readonly queue: EventQueue | undefined;
  readonly log: FunctionLog;
}

function after(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

export function createControlPlane({ registry, queue, log }: ControlPlaneOptions): ControlPlane {
  const pump = createOutboxPump({
    outbox: registry,
    queue,
    clock: { monotonicMs: () => performance.now(), after },
    onError: (streamId, error) =>
      log('error', 'events wait in the outbox', {
        streamId,
        reason: error instanceof Error ? error.message : 'unknown',
      }),
  });
  const andPump = async <Reply>(call: Promise<Reply>): Promise<Reply> => {
    try {
      return await call;
    } finally {
      await pump.afterCall();
    }
  };
  return {
    registry,
    pump,
    pumped: {
      claim: (request) => andPump(registry.claim(request)),
      heartbeat: (request) => andPump(registry.heartbeat(request)),
      release: (request) => andPump(registry.release(request)),
      resolve: (streamId) => registry.resolve(streamId),
      stop: (streamId, reason) => andPump(registry.stop(streamId, reason)),
      notify: (notification) => andPump(registry.notify(notification)),
    },
    announceVod: async ({ streamId, sessionId, data }) => {
      await registry.append({ id: `evt_vod_${sessionId}`, type: 'vod.ready', streamId, sessionId, data });
      await pump.afterCall();
    },
  };
}

/** As the settings describe it. @throws SettingError in one line */
export function controlPlaneFromEnvironment(env: Environment, log: FunctionLog): ControlPlane {
  const { eventQueueUrl, healthQueueUrl } = readSettings(SETTINGS, env);
  return createControlPlane({
    registry: redisRegistryFromEnvironment(env, (length) => randomBytes(length), log),
    queue: eventQueueUrl === undefined ? undefined : createSqsEventQueue({ eventQueueUrl, healthQueueUrl }),
    log,
  });
}
