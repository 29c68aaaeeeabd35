/**
 * FAULTS of the control plane: calls whose answers are lost, that fail, come twice or in another order, through the real
 * AWS client, the local Invoke endpoint and a real Redis.
 */
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamId } from '../../contracts/ids.ts';
import { startFunctions } from '../../local/functions.ts';
import type { InvokeServer } from '../../local/invoke_server.ts';
import { systemClock } from '../../transcoder/clock.ts';
import type { Control } from '../../transcoder/control.ts';
import { createLambdaControl } from '../../transcoder/lambda_control.ts';
import { claimBy, heartbeatOf, reportOf, SHAPE } from '../registry/registry_calls.ts';
import type { Granted } from '../registry/registry_calls.ts';
import { startRedis } from '../registry/redis_server.ts';
import type { RedisServer } from '../registry/redis_server.ts';
import { reportFault } from './fault_report.ts';

let redis: RedisServer;
let functions: InvokeServer;
const closing: (() => void)[] = [];

beforeAll(async () => {
  redis = await startRedis('alone');
  functions = await startFunctions(
    { HW_FUNCTIONS_PORT: '0', HW_STREAM_KEYS: 'show=the-stream-key', REDIS_URL: redis.url },
    () => undefined,
  );
});

afterAll(async () => {
  for (const close of closing) close();
  await functions.close();
  await redis.stop();
});

type Mischief = 'none' | 'lose-the-answer' | 'fail' | 'hang';

/** Stands before the Invoke endpoint and spoils the next calls in the given order. */
async function spoiler(): Promise<{
  readonly port: number;
  readonly next: Mischief[];
  readonly reached: () => number;
}> {
  const next: Mischief[] = [];
  let reached = 0;
  const pass = async (near: IncomingMessage, reply: ServerResponse) => {
    const body = Buffer.concat(await near.toArray());
    const mischief = next.shift() ?? 'none';
    if (mischief === 'hang') return;
    if (mischief === 'fail') {
      reply.writeHead(200, { 'x-amz-function-error': 'Unhandled' }).end('{"errorMessage":"Task timed out"}');
      return;
    }
    reached += 1;
    const { method, url, headers } = near;
    const far = httpRequest({ host: '127.0.0.1', port: functions.port, method, path: url, headers }, (answer) => {
      if (mischief === 'lose-the-answer') {
        answer.resume().once('end', () => reply.destroy());
        return;
      }
      reply.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(reply);
    });
    far.end(body);
  };
  const server = createServer((near, reply) => void pass(near, reply));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, next, reached: () => reached };
}

function controlAt(port: number): Control {
  const client = new LambdaClient({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'an-example-of-a-secret' },
    maxAttempts: 1,
  });
  closing.push(() => client.destroy());
  return createLambdaControl({ prefix: 'headwater-', clock: systemClock, random: Math.random, client });
}

/** Asks until the emptied registry has settled. */
async function claim(control: Control, request: ReturnType<typeof claimBy>): Promise<Granted> {
  for (;;) {
    const reply = await control.claim(request);
    if (reply.outcome === 'granted') return reply;
    if (reply.outcome !== 'wait') throw new Error(`got ${reply.outcome}, wanted a grant`);
    await new Promise((resolve) => setTimeout(resolve, reply.retryAfterMs));
  }
}

test('row 27: a function that fails, hangs, or whose answer is lost is asked again, and asked twice is asked once', async () => {
  const { port, next, reached } = await spoiler();
  const control = controlAt(port);
  await claim(control, claimBy('a', { streamId: 'warm' as StreamId }));
  const before = reached();
  next.push('lose-the-answer', 'lose-the-answer');
  const request = claimBy('a', { streamId: 'retried' as StreamId });
  const granted = await claim(control, request);
  expect(reached() - before).toBe(3);
  expect(await control.claim(request)).toEqual(granted);
  next.push('fail');
  expect(await control.heartbeat(heartbeatOf('a', []))).toMatchObject({ lost: [] });
  next.push('fail', 'lose-the-answer');
  const release = { streamId: request.streamId, epoch: granted.epoch, reason: 'ended' as const };
  const report = reportOf(granted, { streamId: request.streamId, state: 'ended' });
  expect(await control.release({ ...release, report })).toEqual({ outcome: 'released' });
  next.push('hang');
  expect(await control.release({ ...release, report })).toEqual({ outcome: 'released' });
  await reportFault({
    row: '27',
    measured: 'asked again, one effect',
    note: "the dead-letter queue's part in functions/deliver_webhook.test.ts and local/event_delivery.test.ts",
  });
});

test('row 30: duplicated and reordered calls end in the same state', async () => {
  const control = controlAt(functions.port);
  const tell = async (streamId: StreamId, order: readonly number[]) => {
    const grant = await claim(control, claimBy('b', { streamId }));
    const report = (msn: number, state: 'live' | 'interrupted' = 'live') =>
      reportOf(grant, { streamId, state, shape: SHAPE, nextMsn: grant.carryOn.nextMsn + msn });
    const beats = [1, 2, 3].map((step) => heartbeatOf('b', [report(10 * step)]));
    const release = {
      streamId,
      epoch: grant.epoch,
      reason: 'interrupted' as const,
      windowMs: 60_000,
      report: report(31, 'interrupted'),
    };
    const calls = [...beats.map((beat) => () => control.heartbeat(beat)), () => control.release(release)];
    for (const index of order) await calls[index]?.();
    const next = await claim(control, claimBy('b', { streamId }));
    const record = JSON.parse((await redis.nodes[0]?.get(`hw:{${streamId}}:record`)) ?? '{}') as { state?: string };
    return {
      resumed: next.resumed,
      sameSession: next.sessionId === grant.sessionId,
      state: record.state,
      // Beyond all that was reported; seconds that passed come on top.
      msnLead: next.carryOn.nextMsn - grant.carryOn.nextMsn >= 31,
      shape: next.carryOn.shape,
    };
  };
  const inOrder = await tell('ordered' as StreamId, [0, 1, 2, 3]);
  expect(inOrder).toMatchObject({ resumed: true, sameSession: true, msnLead: true });
  expect(await tell('doubled' as StreamId, [0, 0, 1, 1, 2, 2, 3, 3])).toEqual(inOrder);
  expect(await tell('late' as StreamId, [2, 0, 3, 1, 2, 0, 3])).toEqual(inOrder);
  expect(await tell('backwards' as StreamId, [3, 2, 1, 0])).toEqual(inOrder);
  await reportFault({ row: '30', measured: 'the same state', note: 'thousands of histories in test/registry' });
});
