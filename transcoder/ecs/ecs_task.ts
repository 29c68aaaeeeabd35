/**
 * What the task that this program runs in is called and where it is, from the metadata endpoint of Amazon ECS
 * (task metadata version 4).
 */
import * as z from 'zod/mini';
import { parsePayload } from '../../contracts/schema.ts';

export interface EcsTask {
  readonly arn: string;
  /** Last part of the ARN. */
  readonly id: string;
  readonly region: string;
  /** Name or ARN. */
  readonly cluster: string;
  /** Absent: the task was started by hand. */
  readonly service: string | undefined;
  /** IPv4 address inside the VPC. */
  readonly address: string;
}

/** The platform did not say what the program needs to know. */
export class EcsMetadataError extends Error {
  override readonly name = 'EcsMetadataError';
}

const TIMEOUT_MS = 2_000;
/** The endpoint may come up a moment after the container. */
const ATTEMPTS = 3;

const taskSchema = z.object({
  TaskARN: z.string().check(z.regex(/^arn:[^:]+:ecs:[^:]+:[0-9]*:task\/.+$/, 'wanted the ARN of a task')),
  Cluster: z.string().check(z.minLength(1)),
  ServiceName: z.optional(z.string()),
  Containers: z.array(
    z.object({ Networks: z.optional(z.array(z.object({ IPv4Addresses: z.optional(z.array(z.string())) }))) }),
  ),
});

/**
 * @param metadataUri `ECS_CONTAINER_METADATA_URI_V4`
 * @throws EcsMetadataError in one line
 */
export async function readEcsTask(metadataUri: string): Promise<EcsTask> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return parseTask(await readJson(`${metadataUri}/task`));
    } catch (cause) {
      if (attempt < ATTEMPTS) continue;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EcsMetadataError(`ECS_CONTAINER_METADATA_URI_V4: the task's metadata cannot be read (${why})`, {
        cause,
      });
    }
  }
}

async function readJson(url: string): Promise<unknown> {
  const reply = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (reply.status !== 200) {
    await reply.body?.cancel();
    throw new EcsMetadataError(`the endpoint answered ${reply.status}`);
  }
  return reply.json();
}

function parseTask(value: unknown): EcsTask {
  const {
    TaskARN: arn,
    Cluster: cluster,
    ServiceName: service,
    Containers: containers,
  } = parsePayload(taskSchema, value, 'task');
  // In network mode awsvpc, the only one of Fargate, all containers of a task have one address.
  const address = containers
    .flatMap(({ Networks }) => Networks ?? [])
    .flatMap(({ IPv4Addresses }) => IPv4Addresses ?? [])[0];
  if (address === undefined) throw new EcsMetadataError('the task has no IPv4 address');
  return {
    arn,
    id: arn.slice(arn.lastIndexOf('/') + 1),
    region: arn.split(':')[3] ?? '',
    cluster,
    service: service === '' ? undefined : service,
    address,
  };
}
