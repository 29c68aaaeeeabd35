/**
 * Tells a task that a newer deployment of its service has taken its place. Amazon ECS leaves protected tasks of an old
 * deployment alone and says nothing to them; so each task asks: which deployment started me, and which is the primary
 * one? (docs/decisions/0012-the-stack.md)
 */
import { AwsClient } from 'aws4fetch';
import * as z from 'zod/mini';
import { parsePayload } from '../../contracts/schema.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { EcsTask } from './ecs_task.ts';

export interface DeploymentWatchOptions {
  readonly task: EcsTask;
  /** Those of the task's role. */
  readonly credentials: () => Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string | undefined;
  }>;
  /** Called once, when the newer deployment's tasks all run. */
  readonly onReplaced: () => void;
  /** Whether the streams that are live, if any, would find somebody to take them. */
  readonly mayGo: () => boolean;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Amazon's of the task's region unless given. */
  readonly endpoint?: string;
}

/** Between two questions, ms, and half of that more by chance, so that a fleet does not leave at one stroke. */
const ASK_MS = 20_000;
const TIMEOUT_MS = 5_000;
/** The newer tasks have run for so many answers: time enough for their first heartbeat. */
const ANSWERS = 2;

const tasksSchema = z.object({ tasks: z.array(z.object({ startedBy: z.optional(z.string()) })) });
const servicesSchema = z.object({
  services: z.array(
    z.object({
      deployments: z.array(
        z.object({ id: z.string(), status: z.string(), runningCount: z.int(), desiredCount: z.int() }),
      ),
    }),
  ),
});

/** @returns what ends the watch */
export function watchDeployment(options: DeploymentWatchOptions): () => void {
  const { task, clock, logger, random, mayGo, onReplaced } = options;
  let cancel: (() => void) | undefined;
  let stopped = false;
  let startedBy: string | undefined;
  let answers = 0;
  const ask = async (): Promise<void> => {
    try {
      startedBy ??= await deploymentOf(options);
      answers = (await isReplaced(options, startedBy)) ? answers + 1 : 0;
    } catch (error) {
      // Asked again: a task that cannot ask stays until its protection is not renewed any more, or it is stopped.
      logger.warn({ reason: error instanceof Error ? error.message : String(error) }, 'ECS could not be asked');
    }
    if (stopped) return;
    if (answers >= ANSWERS && mayGo()) {
      logger.info({ deployment: startedBy }, 'a newer deployment has taken over: this task goes');
      onReplaced();
    } else {
      cancel = clock.after(ASK_MS * (1 + random() / 2), () => void ask());
    }
  };
  if (task.service !== undefined) void ask();
  return () => {
    stopped = true;
    cancel?.();
  };
}

/** The id of the deployment that started this task. */
async function deploymentOf(options: DeploymentWatchOptions): Promise<string> {
  const { arn, cluster } = options.task;
  const { tasks } = parsePayload(
    tasksSchema,
    await callEcs(options, 'DescribeTasks', { cluster, tasks: [arn] }),
    'reply',
  );
  const startedBy = tasks[0]?.startedBy;
  if (startedBy === undefined) throw new Error('DescribeTasks did not say which deployment started the task');
  return startedBy;
}

/** Whether another deployment is the primary one and all of its tasks run. One that fails is rolled back, and never is. */
async function isReplaced(options: DeploymentWatchOptions, startedBy: string): Promise<boolean> {
  const { cluster, service } = options.task;
  const reply = await callEcs(options, 'DescribeServices', { cluster, services: [service] });
  const primary = parsePayload(servicesSchema, reply, 'reply').services[0]?.deployments.find(
    ({ status }) => status === 'PRIMARY',
  );
  if (primary === undefined || primary.id === startedBy) return false;
  return primary.runningCount >= Math.max(1, primary.desiredCount);
}

/** One call of the ECS API (AWS JSON 1.1), signed. */
async function callEcs(options: DeploymentWatchOptions, operation: string, payload: object): Promise<unknown> {
  const { region } = options.task;
  const { accessKeyId, secretAccessKey, sessionToken } = await options.credentials();
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    service: 'ecs',
    region,
    retries: 0,
  });
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const reply = await client.fetch(options.endpoint ?? `https://ecs.${region}.${domain}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}`,
    },
    body: JSON.stringify(payload),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (reply.status !== 200) {
    await reply.body?.cancel();
    throw new Error(`${operation} was answered with ${reply.status}`);
  }
  return reply.json();
}
