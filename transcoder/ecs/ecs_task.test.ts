import { expect, test } from 'vitest';
import { readEcsTask } from './ecs_task.ts';
import { startScriptedAgent } from './testing/scripted_agent.ts';

/** As Amazon's documentation shows it for Fargate, shortened. */
const METADATA = {
  Cluster: 'arn:aws:ecs:eu-west-1:111122223333:cluster/headwater-prod',
  TaskARN: 'arn:aws:ecs:eu-west-1:111122223333:task/headwater-prod/e9028f8d5d8e4f258373e7b93ce9a3c3',
  Family: 'headwater-prod-transcoder',
  Revision: '7',
  ServiceName: 'headwater-prod-transcoder',
  Containers: [
    {
      Name: 'transcoder',
      Networks: [{ NetworkMode: 'awsvpc', IPv4Addresses: ['10.20.3.7'], PrivateDNSName: 'ip-10-20-3-7' }],
    },
  ],
};

test('a task knows its id, its service and its address', async () => {
  const agent = await startScriptedAgent(() => ({ status: 200, body: METADATA }));
  expect(await readEcsTask(`${agent.url}/v4/abc`)).toEqual({
    arn: METADATA.TaskARN,
    id: 'e9028f8d5d8e4f258373e7b93ce9a3c3',
    region: 'eu-west-1',
    cluster: METADATA.Cluster,
    service: 'headwater-prod-transcoder',
    address: '10.20.3.7',
  });
  expect(agent.requests.map(({ target }) => target)).toEqual(['/v4/abc/task']);
  await agent.close();
});

test('an endpoint that is not up yet is asked again, what it does not say is an error that names it', async () => {
  const replies = [
    { status: 500, body: {} },
    { status: 200, body: { ...METADATA, Containers: [{ Name: 'transcoder' }] } },
    { status: 200, body: { ...METADATA, TaskARN: 'e9028f8d' } },
  ];
  const agent = await startScriptedAgent(() => replies.shift() ?? { status: 404, body: {} });
  await expect(readEcsTask(agent.url)).rejects.toThrow(
    /^ECS_CONTAINER_METADATA_URI_V4: the task's metadata cannot be read \(task\.TaskARN: wanted the ARN of a task\)$/,
  );
  expect(agent.requests).toHaveLength(3);
  await agent.close();
});
