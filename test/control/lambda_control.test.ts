/** The control plane through the real AWS client: signed calls, retries, time-outs, bounds, and what errors say. */
import { execFile, spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, test } from 'vitest';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { ClaimRequest } from '../../contracts/registry.ts';
import type { FunctionHandler } from '../../functions/create_handler.ts';
import { startFunctions } from '../../local/functions.ts';
import { startInvokeServer } from '../../local/invoke_server.ts';
import { systemClock } from '../../transcoder/clock.ts';
import { createLambdaControl } from '../../transcoder/lambda_control.ts';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'an-example-of-a-secret' };
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function clientOf(port: number, credentials = CREDENTIALS): LambdaClient {
  const client = new LambdaClient({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials,
    maxAttempts: 1,
  });
  closing.push(() => client.destroy());
  return client;
}

function controlOf(port: number, more: { readonly maxInFlight?: number } = {}) {
  return createLambdaControl({
    prefix: 'headwater-',
    clock: systemClock,
    random: () => 0.1,
    client: clientOf(port),
    ...more,
  });
}

const CLAIM: ClaimRequest = {
  streamId: 'show' as StreamId,
  serverId: 'a',
  claimId: 'claim-0001',
  address: { private: 'http://a.internal:8000' },
  playback: 'public',
  record: 'all',
};

async function functions(env: Record<string, string> = {}) {
  const lines: string[] = [];
  const server = await startFunctions(
    {
      HW_FUNCTIONS_PORT: '0',
      HW_STREAM_KEYS: 'show=the-stream-key',
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      ...env,
    },
    (level, message, fields) => lines.push(JSON.stringify({ level, message, ...fields })),
  );
  closing.push(() => server.close());
  return { port: server.port, lines };
}

const refused = (message: RegExp) => ({ error: { code: 'bad-request', message: expect.stringMatching(message) } });

/** An endpoint whose one function does what it is told. */
async function endpoint(handler: FunctionHandler, name = 'headwater-registry') {
  const server = await startInvokeServer({
    host: '127.0.0.1',
    port: 0,
    functions: new Map([[name, handler]]),
    nowMs: Date.now,
    onError: () => undefined,
  });
  closing.push(() => server.close());
  return server.port;
}

describe('the functions through the real client', () => {
  test('authorise, claim, report and release; the log names no key', async () => {
    const { port, lines } = await functions();
    const control = controlOf(port);
    const publish = { app: 'stream', query: { youtube: 'relay-key' }, clientAddress: '192.0.2.1', transcoderId: 'a' };
    expect(await control.authorizePublish({ ...publish, streamKey: 'the-stream-key' })).toEqual({
      allowed: true,
      grant: { streamId: 'show' },
    });
    expect(await control.authorizePublish({ ...publish, streamKey: 'wrong-key' })).toMatchObject({
      allowed: false,
      code: 'denied',
    });
    const beat = {
      serverId: 'a',
      seq: 1,
      address: CLAIM.address,
      capacity: { streams: 0, maxStreams: 4, ready: true, draining: false },
      streams: [],
    };
    expect(await control.heartbeat(beat)).toEqual({ lost: [], peers: [], drain: false });
    expect(await control.claim(CLAIM)).toMatchObject({ outcome: 'wait' });
    expect(lines.join('\n')).not.toMatch(/the-stream-key|wrong-key|relay-key/);
    expect(lines.some((line) => line.includes('"requestId"') && line.includes('"_aws"'))).toBe(true);
  });

  test('a wrong signature is refused, and is not tried again', async () => {
    const { port, lines } = await functions();
    const client = clientOf(port, { ...CREDENTIALS, secretAccessKey: 'another' });
    const control = createLambdaControl({ prefix: 'headwater-', clock: systemClock, random: Math.random, client });
    await expect(control.claim(CLAIM)).rejects.toMatchObject({ code: 'bad-request' });
    expect(lines).toEqual([]);
  });

  test('bad payloads get typed errors that name the field', async () => {
    const { port } = await functions();
    const client = clientOf(port);
    const invoke = async (payload: unknown, name = 'headwater-registry') => {
      const reply = await client.send(
        new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(payload)) }),
      );
      return JSON.parse(Buffer.from(reply.Payload ?? []).toString()) as unknown;
    };
    expect(await invoke({ operation: 'drop', request: {} })).toEqual(refused(/^request\.operation/));
    expect(await invoke(null)).toEqual(refused(/^request/));
    expect(await invoke({ operation: 'claim', request: { ...CLAIM, streamId: '../x' } })).toEqual(
      refused(/^request\.request\.streamId: wanted a stream id/),
    );
    expect(await invoke({ streamKey: '' }, 'headwater-authorizePublish')).toEqual(refused(/^request\.streamKey/));
    const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:headwater-registry';
    expect(await invoke({ operation: 'drop' }, arn)).toEqual(refused(/^request/));
    await expect(invoke({}, 'headwater-nothing')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('DryRun and Event are answered as Lambda does', async () => {
    let calls = 0;
    const port = await endpoint(() => {
      calls += 1;
      return Promise.resolve({});
    });
    const client = clientOf(port);
    const send = (InvocationType: 'DryRun' | 'Event') =>
      client.send(new InvokeCommand({ FunctionName: 'headwater-registry', InvocationType }));
    expect((await send('DryRun')).StatusCode).toBe(204);
    expect(calls).toBe(0);
    expect((await send('Event')).StatusCode).toBe(202);
    expect(calls).toBe(1);
  });

  test('a look-up over HTTP wants its token', async () => {
    const { port } = await functions({ HW_RESOLVE_TOKEN: 'edge-token' });
    const get = (path: string, headers = {}) => fetch(`http://127.0.0.1:${port}/resolve/${path}`, { headers });
    expect((await get('show')).status).toBe(401);
    expect((await get('show', { authorization: 'Bearer wrong' })).status).toBe(401);
    const reply = await get('show', { authorization: 'Bearer edge-token' });
    expect([reply.status, reply.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    expect((await get('..%2f', { authorization: 'Bearer edge-token' })).status).toBe(404);
  });
});

describe('the transcoder', () => {
  const granted = { outcome: 'wait', retryAfterMs: 5 };

  test('repeats what failed, as the same call', async () => {
    const events: unknown[] = [];
    const port = await endpoint((event) => {
      events.push(event);
      if (events.length === 1) return Promise.reject(new Error('crashed'));
      if (events.length === 2) return Promise.resolve({ error: { code: 'unavailable', message: 'ask again' } });
      return Promise.resolve(granted);
    });
    expect(await controlOf(port).claim(CLAIM)).toEqual(granted);
    expect(events).toEqual([events[0], events[0], events[0]]);
  });

  test('gives up in time when nobody answers', async () => {
    const server = http.createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const waits: number[] = [];
    // Time-outs run out at once; the pauses between the calls too.
    const clock = {
      monotonicMs: () => 0,
      after: (ms: number, action: () => void) => {
        waits.push(ms);
        const timer = setTimeout(action, ms > 1_000 ? 50 : 0);
        return () => clearTimeout(timer);
      },
    };
    const control = createLambdaControl({ prefix: 'x-', clock, random: () => 0.5, client: clientOf(port) });
    await expect(control.claim(CLAIM)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'registry: no answer in time',
    });
    expect(waits).toEqual([3_000, 100, 3_000, 200, 3_000]);
  });

  test('a closed port is unavailable; a reply of another shape is not believed', async () => {
    await expect(controlOf(1).heartbeat({ ...BEAT })).rejects.toMatchObject({ code: 'unavailable' });
    const port = await endpoint(() => Promise.resolve({ outcome: 'granted', epoch: -1 }));
    await expect(controlOf(port).claim(CLAIM)).rejects.toMatchObject({ name: 'ControlError' });
  });

  test('a publisher that goes away ends the question', async () => {
    const gone = new AbortController();
    const port = await endpoint(() => {
      gone.abort();
      return new Promise(() => undefined);
    }, 'headwater-authorizePublish');
    const request = { streamKey: 'k', app: 'stream', query: {}, clientAddress: '192.0.2.1', transcoderId: 'a' };
    await expect(controlOf(port).authorizePublish(request, gone.signal)).rejects.toMatchObject({ code: 'aborted' });
  });

  test('bounds the calls under way', async () => {
    let now = 0;
    let most = 0;
    const port = await endpoint(async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return granted;
    });
    const control = controlOf(port, { maxInFlight: 3 });
    const replies = await Promise.all(Array.from({ length: 20 }, () => control.claim(CLAIM)));
    expect(replies).toHaveLength(20);
    expect(most).toBeLessThanOrEqual(3);
  });
});

const BEAT = {
  serverId: 'a',
  seq: 1,
  address: CLAIM.address,
  capacity: { streams: 0, maxStreams: 4, ready: true, draining: false },
  streams: [],
};

const start = (env: Record<string, string>) => {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, ['local/functions.ts'], {
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
};

describe('the program', () => {
  test('says where it listens, and ends on SIGTERM', async () => {
    const child = start({ PORT: '0' });
    const exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    const [line = ''] = await new Promise<string[]>((resolve) =>
      createInterface(child.stdout).once('line', (text) => resolve([text])),
    );
    const ready = JSON.parse(line) as {
      readonly ready: boolean;
      readonly pid: number;
      readonly ports: { readonly functions: number };
    };
    expect(ready).toMatchObject({ ready: true, pid: child.pid });
    expect((await fetch(`http://127.0.0.1:${ready.ports.functions}/livez`)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  test.each([
    [{ HW_BIND: '0.0.0.0', PORT: '0' }, /^headwater: HW_BIND: .*loopback.*\n$/],
    [{ HW_NOTHING: '1' }, /^headwater: HW_NOTHING: there is no such setting.*\n$/],
    [{ HW_STREAM_KEYS: 'hunter2' }, /^headwater: HW_STREAM_KEYS: entry 1 .*\n$/],
    [{ REDIS_URL: 'http://user:hunter2@host' }, /^headwater: REDIS_URL: .*\n$/],
  ])('refuses %j in one line', async (env, message) => {
    const { PATH = '' } = process.env;
    const failure = await new Promise<{ readonly code: unknown; readonly stderr: string }>((resolve) => {
      execFile(process.execPath, ['local/functions.ts'], { env: { PATH, ...env } }, (error, _stdout, stderr) =>
        resolve({ code: error?.code, stderr }),
      );
    });
    expect(failure.code).toBe(1);
    expect(failure.stderr).toMatch(message);
    expect(failure.stderr).not.toContain('hunter2');
  });
});

describe('the commands by hand', () => {
  test('list what is live, end it, and have a server drain', async () => {
    const { port } = await functions();
    const control = controlOf(port);
    await control.heartbeat(BEAT);
    const { PATH = '' } = process.env;
    const env = {
      PATH,
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    };
    const hw = (...args: string[]) =>
      new Promise((resolve) => {
        execFile(process.execPath, ['local/hw.ts', ...args], { env }, (error, stdout, stderr) =>
          resolve([error?.code ?? 0, `${stdout}${stderr}`.trim()]),
        );
      });
    const report = {
      streamId: CLAIM.streamId,
      epoch: 5 as Epoch,
      sessionId: '01KAP0000000000000000000ZZ' as SessionId,
      startedAtMs: 1_760_000_000_000,
      state: 'live' as const,
      nextMsn: 1,
      discontinuitySequence: 0,
      programDateTimeEndMs: 0,
      playback: 'public' as const,
      record: 'all' as const,
      mediaAgeMs: 0,
    };
    await control.heartbeat({ ...BEAT, seq: 2, streams: [report] });
    const line = `show  live  a  ${report.sessionId}  2025-10-09T08:53:20.000Z`;
    expect(await hw('streams')).toEqual([0, line]);
    expect(await hw('end', 'show')).toEqual([0, 'done: the servers hear of it within 3 seconds']);
    expect(await hw('end', 'show')).toEqual([1, 'that stream is not live']);
    expect(await hw('drain', 'a')).toEqual([0, 'done: the servers hear of it within 3 seconds']);
    expect(await control.heartbeat({ ...BEAT, seq: 3, streams: [report] })).toEqual({
      lost: [{ streamId: 'show', epoch: 5, reason: 'ended' }],
      peers: [],
      drain: true,
    });
    expect(await hw('streams')).toEqual([0, 'nothing is live']);
    expect(await hw('end', '../show')).toEqual([1, expect.stringMatching(/^streamId: got /)]);
    expect(await hw()).toEqual([1, expect.stringMatching(/^usage: /)]);
  });
});
