/**
 * Every handler of the template is in its package, is small, starts under the stack's environment, and answers.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FUNCTION_NAMES } from '../../contracts/function_calls.ts';
import { startScriptedAgent } from '../../transcoder/ecs/testing/scripted_agent.ts';
import { invokeBundle, unpackBundle } from './invoke_bundle.ts';
import { ROOT } from './package_stack.ts';
import { programsOf } from './programs.ts';
import type { Stacks } from './reachability_suite.ts';

const MOST_BYTES = 300_000;

/** What stands in for references that only AWS can follow: nothing answers there. */
const STAND_INS: Readonly<Record<string, string>> = {
  REDIS_URL: 'redis://127.0.0.1:1',
  HW_STREAM_KEYS_SECRET: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:stream-keys-abcdef',
  HW_RESOLVE_TOKEN: 'token-of-a-test',
  HW_MEDIA_TOKEN: 'token-of-a-test',
  HW_AUTH_WEBHOOK_SECRET: `whsec_${'c2VjcmV0'.repeat(5)}`,
  HW_EVENT_WEBHOOK_SECRET: `whsec_${'c2VjcmV0'.repeat(5)}`,
  HW_RECORDING_STORE: 's3://bucket-of-a-test/recordings',
  HW_EVENT_QUEUE_URL: 'http://127.0.0.1:1/1/events.fifo',
  HW_HEALTH_QUEUE_URL: 'http://127.0.0.1:1/1/health',
};
const OF_LAMBDA = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'secret',
  // Every AWS client goes nowhere.
  AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
  AWS_MAX_ATTEMPTS: '1',
};

function environmentOf(environment: Readonly<Record<string, unknown>>): Record<string, string> {
  const values = Object.entries(environment).map(([name, value]) => {
    const text = typeof value === 'string' ? value : STAND_INS[name];
    if (text === undefined) throw new Error(`the test has no stand-in for ${name}`);
    return [name, text] as const;
  });
  return { ...OF_LAMBDA, ...Object.fromEntries(values) };
}

/** An event that is none of the function's, and what it answers. */
const BAD: Readonly<Record<string, object>> = {
  authorizePublish: {
    reply: { error: { code: 'bad-request', message: expect.stringMatching(/^request\.streamKey: /) } },
  },
  registry: { reply: { error: { code: 'bad-request', message: expect.stringMatching(/^request\.operation: /) } } },
  finalizeVod: { reply: { error: { code: 'bad-request', message: expect.stringMatching(/^request\.streamId: /) } } },
  // The schedule's event says nothing. Redis and S3 are away here: it says so in its log, and the next minute tries again.
  reapSessions: { reply: { ended: [], finalized: 0, failures: 2 } },
  // A wrong event source mapping: the messages stay in their queue.
  deliverWebhook: { thrown: expect.stringMatching(/^ContractError: event\.Records: /) },
  resolve: { reply: { statusCode: 503, headers: expect.objectContaining({ 'cache-control': 'no-store' }) } },
};

export function functionSuite(stacks: () => Stacks, folder: () => string): void {
  describe('the packaged functions', () => {
    it('are those that the contracts name', () => {
      const functions = programsOf(stacks().full).filter(({ kind }) => kind === 'function');
      expect(functions.map(({ name }) => name).toSorted()).toEqual([...FUNCTION_NAMES].toSorted());
      for (const { entry } of programsOf(stacks().full)) expect(existsSync(join(ROOT, entry))).toBe(true);
    });

    it.each(FUNCTION_NAMES)('%s is at most 300 KB, starts, and answers what is no event of its own', async (name) => {
      const program = programsOf(stacks().full).find((one) => one.name === name);
      const bundle = await unpackBundle(join(folder(), `${name}.zip`));
      expect(bundle.file).toBe(program?.entry.replace(/\.ts$/, '.js'));
      expect(bundle.bytes).toBeLessThanOrEqual(MOST_BYTES);
      const { reply, thrown, log } = await invokeBundle(bundle.path, environmentOf(program?.environment ?? {}), {
        nonsense: true,
      });
      expect({ reply, thrown }).toMatchObject(BAD[name] ?? {});
      // One JSON object a line, for CloudWatch, and no stack trace.
      for (const line of log
        .trim()
        .split('\n')
        .filter((text) => text !== ''))
        expect(JSON.parse(line)).toBeTypeOf('object');
      expect(log).not.toMatch(/\n\s+at /);
      for (const secret of ['token-of-a-test', 'c2VjcmV0']) expect(log).not.toContain(secret);
    });

    it('authorizePublish lets in whose key stands in the secret as a digest, and nobody while it is empty or away', async () => {
      const digest = createHash('sha256').update('key-of-a-test').digest('hex');
      const empty = { __type: 'ResourceNotFoundException', Message: "can't find the specified secret value" };
      let answer = { status: 200, body: { Name: 'stream-keys', SecretString: `demo=sha256:${digest}` } as object };
      const secrets = await startScriptedAgent(() => answer);
      const program = programsOf(stacks().first).find(({ name }) => name === 'authorizePublish');
      const bundle = await unpackBundle(join(folder(), 'authorizePublish.zip'));
      const environment = { ...environmentOf(program?.environment ?? {}), AWS_ENDPOINT_URL: secrets.url };
      const ask = async (streamKey: string) => {
        const call = { streamKey, app: 'stream', query: {}, clientAddress: '203.0.113.7', transcoderId: 't' };
        const { reply, log } = await invokeBundle(bundle.path, environment, call);
        expect(log).not.toMatch(/key-of-a-test|another-key/);
        return reply;
      };
      expect(await ask('key-of-a-test')).toEqual({ allowed: true, grant: { streamId: 'demo' } });
      expect(await ask('another-key')).toEqual({
        allowed: false,
        code: 'denied',
        reason: 'the stream key is not known',
      });
      expect(secrets.requests[0]).toMatchObject({
        headers: { 'x-amz-target': 'secretsmanager.GetSecretValue' },
        body: { SecretId: STAND_INS['HW_STREAM_KEYS_SECRET'] },
      });
      answer = { status: 400, body: empty };
      expect(await ask('key-of-a-test')).toMatchObject({ allowed: false, code: 'denied' });
      await secrets.close();
      expect(await ask('key-of-a-test')).toMatchObject({ allowed: false, code: 'unavailable' });
    });
  });
}
