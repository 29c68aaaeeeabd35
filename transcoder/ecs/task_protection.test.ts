import { expect, test } from 'vitest';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { startTaskProtection } from './task_protection.ts';
import { startScriptedAgent } from './testing/scripted_agent.ts';
import type { AgentReply, AgentRequest } from './testing/scripted_agent.ts';
import { SteppingClock } from './testing/stepping_clock.ts';

const granted = ({ body }: AgentRequest): AgentReply => ({
  status: 200,
  body: {
    protection: {
      ProtectionEnabled: (body as { readonly ProtectionEnabled: boolean }).ProtectionEnabled,
      ExpirationDate: '2026-11-22T21:00:00Z',
      TaskArn: 'arn:aws:ecs:eu-west-1:111122223333:task/c/1',
    },
  },
});

async function startProtected(answer: (request: AgentRequest) => AgentReply) {
  const agent = await startScriptedAgent(answer);
  const clock = new SteppingClock();
  const world = { busy: false, warnings: [] as object[] };
  const logger = { ...silentLogger, warn: (fields: object) => void world.warnings.push(fields) };
  const protection = startTaskProtection({ agentUri: `${agent.url}/api/x`, busy: () => world.busy, clock, logger });
  await clock.waits();
  return { agent, clock, world, protection };
}

test('leases of ten minutes while streams are live, renewed after four, given back after the last', async () => {
  const { agent, clock, world, protection } = await startProtected(granted);
  await clock.round();
  expect(agent.requests).toEqual([]);
  world.busy = true;
  for (let round = 0; round < 49; round += 1) await clock.round();
  // 5 s rounds: at 0 s and 240 s of the stream.
  const lease = {
    method: 'PUT',
    target: '/api/x/task-protection/v1/state',
    body: { ProtectionEnabled: true, ExpiresInMinutes: 10 },
  };
  expect(agent.requests).toMatchObject([lease, lease]);
  world.busy = false;
  await clock.round();
  await clock.round();
  expect(agent.requests.slice(2)).toMatchObject([{ ...lease, body: { ProtectionEnabled: false } }]);
  expect(world.warnings).toEqual([]);
  protection.stop();
  await agent.close();
});

test('a refused lease is said and asked for again', async () => {
  const refusals: AgentReply[] = [
    { status: 200, body: { failure: { Reason: 'DEPLOYMENT_BLOCKED', Arn: 'x' } } },
    { status: 400, body: { error: { Code: 'ThrottlingException', Message: 'slow down' } } },
  ];
  const { agent, clock, world, protection } = await startProtected((request) => refusals.shift() ?? granted(request));
  world.busy = true;
  for (let round = 0; round < 4; round += 1) await clock.round();
  expect(agent.requests).toHaveLength(3);
  expect(world.warnings).toEqual([
    { reason: 'DEPLOYMENT_BLOCKED', wanted: true },
    { reason: 'ThrottlingException', wanted: true },
  ]);
  protection.stop();
  await agent.close();
});

test('an agent that is away does not end the watch', async () => {
  const { agent, clock, world, protection } = await startProtected(granted);
  await agent.close();
  world.busy = true;
  await clock.round();
  await clock.round();
  expect(world.warnings).toHaveLength(2);
  expect(clock.idle).toBe(false);
  protection.stop();
  expect(clock.idle).toBe(true);
});
