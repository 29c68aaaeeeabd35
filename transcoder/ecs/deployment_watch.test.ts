import { expect, test } from 'vitest';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { watchDeployment } from './deployment_watch.ts';
import type { EcsTask } from './ecs_task.ts';
import { startScriptedAgent } from './testing/scripted_agent.ts';
import type { AgentReply } from './testing/scripted_agent.ts';
import { SteppingClock } from './testing/stepping_clock.ts';

const TASK: EcsTask = {
  arn: 'arn:aws:ecs:eu-west-1:111122223333:task/c/1',
  id: '1',
  region: 'eu-west-1',
  cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/c',
  service: 'transcoder',
  address: '10.20.3.7',
};

interface Deployment {
  readonly id: string;
  readonly status: string;
  readonly runningCount: number;
  readonly desiredCount: number;
}
const old = (status: string): Deployment => ({ id: 'ecs-svc/1', status, runningCount: 2, desiredCount: 2 });
const next = (runningCount: number): Deployment => ({
  id: 'ecs-svc/2',
  status: 'PRIMARY',
  runningCount,
  desiredCount: 2,
});

async function startWatch(task: EcsTask = TASK) {
  const world = { deployments: [old('PRIMARY')], replaced: 0, mayGo: true, down: false };
  const agent = await startScriptedAgent(({ headers }): AgentReply => {
    if (world.down) return { status: 503, body: {} };
    const isTask = String(headers['x-amz-target']).endsWith('.DescribeTasks');
    const body = isTask
      ? { tasks: [{ taskArn: TASK.arn, startedBy: 'ecs-svc/1' }], failures: [] }
      : { services: [{ serviceName: 'transcoder', deployments: world.deployments }], failures: [] };
    return { status: 200, body };
  });
  const clock = new SteppingClock();
  const replaced = new Promise<void>((resolve) => {
    watchDeployment({
      task,
      credentials: () => Promise.resolve({ accessKeyId: 'id', secretAccessKey: 'key', sessionToken: 'session' }),
      onReplaced: () => {
        world.replaced += 1;
        resolve();
      },
      mayGo: () => world.mayGo,
      clock,
      logger: silentLogger,
      random: () => 0,
      endpoint: agent.url,
    });
  });
  return { world, agent, clock, replaced };
}

test('a task goes when another deployment is the primary one and all of its tasks have run for two answers', async () => {
  const { world, agent, clock, replaced } = await startWatch();
  await clock.round();
  world.deployments = [next(1), old('ACTIVE')];
  await clock.round();
  await clock.round();
  world.deployments = [next(2), old('ACTIVE')];
  await clock.round();
  expect(world.replaced).toBe(0);
  clock.release();
  await replaced;
  expect(clock.idle).toBe(true);
  expect(agent.requests.map(({ headers }) => headers['x-amz-target'])).toEqual([
    'AmazonEC2ContainerServiceV20141113.DescribeTasks',
    ...Array.from({ length: 6 }, () => 'AmazonEC2ContainerServiceV20141113.DescribeServices'),
  ]);
  expect(agent.requests[0]?.body).toEqual({ cluster: TASK.cluster, tasks: [TASK.arn] });
  expect(agent.requests[1]?.body).toEqual({ cluster: TASK.cluster, services: ['transcoder'] });
  expect(agent.requests[0]?.headers).toMatchObject({
    authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=id\/[0-9]{8}\/eu-west-1\/ecs\/aws4_request, /),
    'x-amz-security-token': 'session',
  });
  await agent.close();
});

test('a deployment that fails and is rolled back moves nobody', async () => {
  const { world, agent, clock } = await startWatch();
  world.deployments = [next(0), old('ACTIVE')];
  await clock.round();
  world.deployments = [next(2), old('ACTIVE')];
  await clock.round();
  world.deployments = [old('PRIMARY'), { ...next(1), status: 'ACTIVE' }];
  for (let round = 0; round < 4; round += 1) await clock.round();
  expect(world.replaced).toBe(0);
  await agent.close();
});

test('nobody goes while ECS cannot be asked, or while no peer would take the streams', async () => {
  const { world, agent, clock, replaced } = await startWatch();
  world.deployments = [next(2), old('ACTIVE')];
  world.down = true;
  for (let round = 0; round < 3; round += 1) await clock.round();
  world.down = false;
  world.mayGo = false;
  for (let round = 0; round < 3; round += 1) await clock.round();
  expect(world.replaced).toBe(0);
  world.mayGo = true;
  clock.release();
  await replaced;
  await agent.close();
});

test('a task that was started by hand has no deployment', async () => {
  const { agent, clock } = await startWatch({ ...TASK, service: undefined });
  expect(clock.idle).toBe(true);
  expect(agent.requests).toEqual([]);
  await agent.close();
});
