/**
 * What a transcoder does for being a task of Amazon ECS: it protects itself while streams are live, and goes when a newer
 * deployment has taken its place.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { watchDeployment } from './deployment_watch.ts';
import type { DeploymentWatchOptions } from './deployment_watch.ts';
import type { EcsTask } from './ecs_task.ts';
import { startTaskProtection } from './task_protection.ts';

export interface AttendTaskOptions {
  readonly task: EcsTask;
  /** `ECS_AGENT_URI`; without it the task is not protected. */
  readonly agentUri: string | undefined;
  readonly credentials: DeploymentWatchOptions['credentials'];
  /** Whether a stream is live, or waits for its publisher. */
  readonly busy: () => boolean;
  /** Whether peers are ready to take streams off this server. */
  readonly hasPeers: () => boolean;
  /** Has the transcoder hand its streams over, and end. */
  readonly leave: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

/** @returns what ends it: no lease is asked for any more, the one that stands runs out */
export function attendTask(options: AttendTaskOptions): () => void {
  const { task, agentUri, clock, logger, leave } = options;
  const protection =
    agentUri === undefined ? undefined : startTaskProtection({ agentUri, busy: options.busy, clock, logger });
  const stopWatching = watchDeployment({
    task,
    credentials: options.credentials,
    clock,
    logger,
    random: options.random,
    mayGo: () => options.hasPeers() || !options.busy(),
    onReplaced: () => {
      protection?.stop();
      leave();
    },
  });
  return () => {
    stopWatching();
    protection?.stop();
  };
}
