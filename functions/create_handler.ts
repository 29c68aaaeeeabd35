/**
 * The frame of every function: parse → act → reply. A bad payload and a part that does not answer become typed error
 * replies; nothing internal leaves.
 */
import type * as z from 'zod/mini';
import { ContractError } from '../contracts/contract_error.ts';
import type { FunctionError } from '../contracts/function_calls.ts';
import { parsePayload } from '../contracts/schema.ts';
import { callMetrics } from './function_log.ts';
import type { FunctionLog } from './function_log.ts';

/** What a function needs of Lambda's context. */
export interface CallContext {
  readonly awsRequestId: string;
}

/** Never rejects on account of its payload; on account of what it calls only where `throws` says so. */
export type FunctionHandler = (event: unknown, context: CallContext) => Promise<unknown>;

export interface FunctionParts<Schema extends z.ZodMiniType> {
  readonly name: string;
  readonly schema: Schema;
  readonly act: (call: z.infer<Schema>) => Promise<object>;
  /** Fields of the call's log line, without secrets. */
  readonly describe: (call: z.infer<Schema>, reply: object) => Readonly<Record<string, unknown>>;
  readonly log: FunctionLog;
  /**
   * True for functions that nobody waits for (asynchronous invocations, schedules): a failure is thrown, so that Lambda
   * repeats the event and then puts it into the dead-letter queue.
   */
  readonly throws?: boolean;
  readonly clock: {
    /** ms since 1970. */
    readonly nowMs: () => number;
  };
}

export function createHandler<Schema extends z.ZodMiniType>(parts: FunctionParts<Schema>): FunctionHandler {
  const { name, schema, act, describe, log, clock } = parts;
  return async (event, { awsRequestId }) => {
    const startedAtMs = clock.nowMs();
    const finish = (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => {
      const nowMs = clock.nowMs();
      const metrics = callMetrics(name, nowMs, nowMs - startedAtMs, level === 'error');
      log(level, message, { requestId: awsRequestId, ...fields, ...metrics });
    };
    let call: z.infer<Schema>;
    try {
      call = parsePayload(schema, event, 'request');
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      finish('warn', 'the request was refused', { reason: error.message });
      return refusal('bad-request', error.message);
    }
    try {
      const reply = await act(call);
      finish('info', 'answered', describe(call, reply));
      return reply;
    } catch (error) {
      // The message alone: errors of Redis clients carry the command and its arguments in other fields.
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
      finish('error', 'the call failed', { reason });
      if (parts.throws === true) throw new Error(`${name} failed`, { cause: error });
      return refusal('unavailable', `${name} could not be answered, ask again`);
    }
  };
}

function refusal(code: FunctionError['error']['code'], message: string): FunctionError {
  return { error: { code, message } };
}
