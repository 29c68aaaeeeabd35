/**
 * The function `resolve`: an HTTPS look-up of streams, `GET …/{streamId}` with a bearer token, for edges that cannot
 * hold a connection to Redis. Its events are those of a Lambda function URL (payload format 2.0).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';
import { CACHE_POLICY, CONTENT_TYPE } from '../../contracts/cache_policy.ts';
import { isStreamId } from '../../contracts/ids.ts';
import { problemBody } from '../../contracts/problem.ts';
import type { Registry } from '../../contracts/registry.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings, SettingError } from '../../contracts/settings.ts';
import type { CallContext } from '../create_handler.ts';
import { callMetrics } from '../function_log.ts';
import type { FunctionLog } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import { redisRegistryFromEnvironment } from '../redis_from_environment.ts';

const httpEventSchema = z.object({
  rawPath: z.string(),
  /** Names in lower case. */
  headers: z.record(z.string(), z.string()),
  requestContext: z.object({ http: z.object({ method: z.string() }) }),
});

export interface HttpReply {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type HttpFunction = (event: unknown, context: CallContext) => Promise<HttpReply>;

export interface ResolveFunctionOptions {
  readonly registry: Pick<Registry, 'resolve'>;
  /** The token that callers must show. */
  readonly token: string;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refuse(status: number, title: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  const cacheControl = CACHE_POLICY[status === 404 ? 'not-found' : 'error'].cacheControl(0);
  return {
    statusCode: status,
    headers: { 'content-type': CONTENT_TYPE.problem, 'cache-control': cacheControl, ...headers },
    body: problemBody({ status, title }),
  };
}

export function createResolveFunction({ registry, token, log, nowMs }: ResolveFunctionOptions): HttpFunction {
  const wanted = digest(`Bearer ${token}`);
  const answer = async (event: unknown): Promise<HttpReply> => {
    const { rawPath, headers, requestContext } = parsePayload(httpEventSchema, event, 'request');
    if (!timingSafeEqual(digest(headers.authorization ?? ''), wanted)) {
      return refuse(401, 'wanted a bearer token', { 'www-authenticate': 'Bearer' });
    }
    if (requestContext.http.method !== 'GET') return refuse(405, 'wanted GET', { allow: 'GET' });
    const streamId = rawPath.slice(rawPath.lastIndexOf('/') + 1);
    const record = isStreamId(streamId) ? await registry.resolve(streamId) : undefined;
    if (record === undefined) return refuse(404, 'no such stream');
    return {
      statusCode: 200,
      headers: { 'content-type': CONTENT_TYPE.json, 'cache-control': CACHE_POLICY.error.cacheControl(0) },
      body: JSON.stringify(record),
    };
  };
  return async (event, { awsRequestId }) => {
    const startedAtMs = nowMs();
    let reply: HttpReply;
    let reason: string | undefined;
    try {
      reply = await answer(event);
    } catch (error) {
      reason = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
      reply = refuse(503, 'the registry cannot be asked now', { 'retry-after': '1' });
    }
    const endedAtMs = nowMs();
    log(reason === undefined ? 'info' : 'error', 'answered', {
      requestId: awsRequestId,
      status: reply.statusCode,
      reason,
      ...callMetrics('resolve', endedAtMs, endedAtMs - startedAtMs, reason !== undefined),
    });
    return reply;
  };
}

function compose(env: Environment, log: FunctionLog): HttpFunction {
  const { resolveToken } = readSettings(SETTINGS, env);
  if (resolveToken === undefined) throw new SettingError('HW_RESOLVE_TOKEN: not set, wanted the token of the edges');
  const registry = redisRegistryFromEnvironment(env, (length) => randomBytes(length), log);
  return createResolveFunction({ registry, token: resolveToken, log, nowMs: Date.now });
}

export const handler = lambdaEntry(compose, process.env);
