import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awsCredentials } from './aws_credentials.ts';

let server: Server;
let url = '';
let asked: (string | undefined)[];
let answer: () => { readonly status: number; readonly body: unknown };
let nowMs = Date.parse('2026-11-22T20:00:00.000Z');

beforeEach(async () => {
  asked = [];
  nowMs = Date.parse('2026-11-22T20:00:00.000Z');
  server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    const { status, body } = answer();
    response.writeHead(status).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/role`;
  answer = () => ({
    status: 200,
    body: {
      AccessKeyId: `key-${asked.length}`,
      SecretAccessKey: 'secret',
      Token: 'token',
      Expiration: new Date(nowMs + 3_600_000).toISOString(),
    },
  });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const provider = () =>
  awsCredentials(
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Basic x' },
    () => nowMs,
  );

describe('awsCredentials', () => {
  it('takes those of the environment', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' };
    expect(await awsCredentials(env, () => nowMs)()).toEqual({
      accessKeyId: 'a',
      secretAccessKey: 'b',
      sessionToken: 'c',
    });
  });

  it('rejects when there are none', async () => {
    await expect(awsCredentials({}, () => nowMs)()).rejects.toThrow('there are no AWS credentials');
  });

  it("asks the container's endpoint once for all, and again before they expire", async () => {
    const give = provider();
    const first = await Promise.all([give(), give(), give()]);
    expect(first.map(({ accessKeyId }) => accessKeyId)).toEqual(['key-1', 'key-1', 'key-1']);
    expect(asked).toEqual(['Basic x']);
    nowMs += 3_200_000;
    await give();
    expect(asked).toHaveLength(1);
    nowMs += 200_000;
    expect((await give()).accessKeyId).toBe('key-2');
  });

  it('goes on with what it has while the endpoint fails, until that has expired', async () => {
    const give = provider();
    await give();
    answer = () => ({ status: 500, body: {} });
    nowMs += 3_400_000;
    expect((await give()).accessKeyId).toBe('key-1');
    nowMs += 300_000;
    await expect(give()).rejects.toThrow('answered 500');
  });

  it('does not take what is no reply of that endpoint', async () => {
    answer = () => ({ status: 200, body: { AccessKeyId: 'x' } });
    await expect(provider()()).rejects.toThrow('credentials.SecretAccessKey');
  });
});
