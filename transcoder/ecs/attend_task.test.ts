import { expect, test } from 'vitest';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { FakeClock } from '../stream/testing/fake_clock.ts';
import { attendTask } from './attend_task.ts';
import { startScriptedAgent } from './testing/scripted_agent.ts';

test('a task with streams protects itself through its agent, and asks for nothing more when it is ended', async () => {
  const agent = await startScriptedAgent(() => ({ status: 200, body: { protection: { ProtectionEnabled: true } } }));
  const clock = new FakeClock();
  const stop = attendTask({
    // Started by hand: no deployment to ask for.
    task: { arn: 'a', id: '1', region: 'eu-west-1', cluster: 'c', service: undefined, address: '10.20.3.7' },
    agentUri: agent.url,
    credentials: () => Promise.reject(new Error('not asked for')),
    busy: () => true,
    hasPeers: () => true,
    leave: () => expect.unreachable(),
    clock,
    logger: silentLogger,
    random: () => 0,
  });
  await agent.answered(1);
  stop();
  await clock.pass(600_000);
  expect(agent.requests).toMatchObject([{ body: { ProtectionEnabled: true, ExpiresInMinutes: 10 } }]);
  await agent.close();
});
