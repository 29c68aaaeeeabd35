/**
 * The control plane over Lambda: each call has a time-out, is repeated with jitter where repeating is safe, and only so
 * many are under way at once.
 */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod/mini';
import { functionErrorSchema, notifyReplySchema } from '../contracts/function_calls.ts';
import type { FunctionName, RegistryCall } from '../contracts/function_calls.ts';
import { authorizePublishReplySchema } from '../contracts/publish.ts';
import { claimReplySchema, heartbeatReplySchema, releaseReplySchema } from '../contracts/registry.ts';
import { parsePayload } from '../contracts/schema.ts';
import { createCallGate, GateFull } from './call_gate.ts';
import type { CallGate } from './call_gate.ts';
import type { Clock } from './clock.ts';
import type { Control } from './control.ts';

export interface LambdaControlOptions {
  /** What stands before each function's name. */
  readonly prefix: string;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Region, endpoint and credentials come from the environment, as the AWS client reads it, unless given. */
  readonly client?: LambdaClient;
  /** Calls of each function that are under way at once. */
  readonly maxInFlight?: number;
}

/** The control plane did not answer, or did not understand. The message holds no key. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  /** `bad-request`: asking again is of no use. `busy`: too many calls wait already. */
  readonly code: 'unavailable' | 'bad-request' | 'busy' | 'aborted';

  constructor(code: ControlError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** An event's reply is empty. */
const takenOnSchema = z.null();

type CalledFunction = Extract<FunctionName, 'authorizePublish' | 'registry' | 'finalizeVod'>;

interface Patience {
  /** One call may take this long, ms. */
  readonly attemptMs: number;
  /** No call is started after this time, ms. */
  readonly totalMs: number;
  readonly attempts: number;
}

/** authorizePublish answers within 5 s, and its cold start comes on top; the registry is quick, and safe to ask again. */
const PATIENCE = {
  authorizePublish: { attemptMs: 8_000, totalMs: 4_000, attempts: 2 },
  claim: { attemptMs: 3_000, totalMs: 6_000, attempts: 3 },
  heartbeat: { attemptMs: 2_500, totalMs: 2_500, attempts: 2 },
  release: { attemptMs: 3_000, totalMs: 20_000, attempts: 6 },
  notify: { attemptMs: 3_000, totalMs: 10_000, attempts: 4 },
  finalizeVod: { attemptMs: 3_000, totalMs: 20_000, attempts: 6 },
} as const satisfies Record<string, Patience>;

const MAX_IN_FLIGHT = 32;
/** Calls that wait for their turn; beyond it they fail at once. */
const MAX_WAITING = 256;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;

class LambdaControl implements Control {
  readonly #options: LambdaControlOptions;
  readonly #client: LambdaClient;
  /** One each, so that a webhook that hangs does not hold heartbeats up. */
  readonly #gates: Readonly<Record<CalledFunction, CallGate>>;

  constructor(options: LambdaControlOptions) {
    this.#options = options;
    // The retries are ours: they know which calls may be repeated, and for how long.
    this.#client = options.client ?? new LambdaClient({ maxAttempts: 1 });
    const gate = () => createCallGate(options.maxInFlight ?? MAX_IN_FLIGHT, MAX_WAITING);
    this.#gates = { authorizePublish: gate(), registry: gate(), finalizeVod: gate() };
  }

  readonly authorizePublish: Control['authorizePublish'] = (request, signal) =>
    this.#call('authorizePublish', request, authorizePublishReplySchema, PATIENCE.authorizePublish, signal);

  readonly claim: Control['claim'] = (request) =>
    this.#registry({ operation: 'claim', request }, claimReplySchema, PATIENCE.claim);

  readonly heartbeat: Control['heartbeat'] = (request) =>
    this.#registry({ operation: 'heartbeat', request }, heartbeatReplySchema, PATIENCE.heartbeat);

  readonly release: Control['release'] = (request) =>
    this.#registry({ operation: 'release', request }, releaseReplySchema, PATIENCE.release);

  readonly notify: Control['notify'] = (request) =>
    this.#registry({ operation: 'notify', request }, notifyReplySchema, PATIENCE.notify);

  readonly finalizeVod: Control['finalizeVod'] = async (request) => {
    await this.#call('finalizeVod', request, takenOnSchema, PATIENCE.finalizeVod);
  };

  #registry<Schema extends z.ZodMiniType>(call: RegistryCall, schema: Schema, patience: Patience) {
    return this.#call('registry', call, schema, patience);
  }

  async #call<Schema extends z.ZodMiniType>(
    name: CalledFunction,
    payload: object,
    schema: Schema,
    patience: Patience,
    signal?: AbortSignal,
  ): Promise<z.infer<Schema>> {
    const { clock } = this.#options;
    const startedAtMs = clock.monotonicMs();
    const body = Buffer.from(JSON.stringify(payload));
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#gates[name].through(() => this.#attempt(name, body, schema, patience.attemptMs, signal));
      } catch (error) {
        if (error instanceof GateFull) throw new ControlError('busy', `${name}: ${error.message}`, { cause: error });
        if (!(error instanceof ControlError)) throw error;
        const backoffMs = this.#backoffMs(attempt);
        const late = clock.monotonicMs() - startedAtMs + backoffMs > patience.totalMs;
        if (error.code !== 'unavailable' || late || attempt === patience.attempts) throw error;
        await this.#pause(backoffMs, signal);
      }
    }
  }

  async #attempt<Schema extends z.ZodMiniType>(
    name: CalledFunction,
    body: Buffer,
    schema: Schema,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<z.infer<Schema>> {
    if (signal?.aborted === true) throw new ControlError('aborted', `${name}: nobody waits for the answer`);
    const over = new AbortController();
    const cancel = this.#options.clock.after(timeoutMs, () => over.abort());
    try {
      const command = new InvokeCommand({
        FunctionName: `${this.#options.prefix}${name}`,
        // Lambda repeats an event until its function has done it; the others' answers are waited for.
        InvocationType: name === 'finalizeVod' ? 'Event' : 'RequestResponse',
        Payload: body,
      });
      const abortSignal = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
      const reply = await this.#client.send(command, { abortSignal });
      if (reply.FunctionError !== undefined) throw new ControlError('unavailable', `${name}: the function failed`);
      return readReply(name, schema, reply.Payload);
    } catch (error) {
      throw asControlError(name, error, signal, over.signal);
    } finally {
      cancel();
    }
  }

  /** Full jitter around a doubling pause, ms. */
  #backoffMs(attempt: number): number {
    return this.#options.random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      signal?.addEventListener(
        'abort',
        () => {
          cancel();
          resolve();
        },
        { once: true },
      );
    });
  }
}

function readReply<Schema extends z.ZodMiniType>(
  name: CalledFunction,
  schema: Schema,
  payload: Uint8Array | undefined,
): z.infer<Schema> {
  const text = Buffer.from(payload ?? []).toString('utf8');
  const value: unknown = text === '' ? null : JSON.parse(text);
  if (typeof value === 'object' && value !== null && 'error' in value) {
    const { error } = parsePayload(functionErrorSchema, value, `${name} reply`);
    throw new ControlError(error.code, `${name}: ${error.message}`);
  }
  return parsePayload(schema, value, `${name} reply`);
}

/** Errors of the AWS client that the same call will meet again. */
const HOPELESS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'InvalidSignatureException',
  'InvalidRequestContentException',
  'RequestTooLargeException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
]);

function asControlError(
  name: CalledFunction,
  error: unknown,
  caller: AbortSignal | undefined,
  over: AbortSignal,
): ControlError {
  if (error instanceof ControlError) return error;
  if (caller?.aborted === true) return new ControlError('aborted', `${name}: nobody waits for the answer`);
  if (over.aborted) return new ControlError('unavailable', `${name}: no answer in time`, { cause: error });
  const kind = error instanceof Error ? error.name : typeof error;
  const code = HOPELESS.has(kind) ? 'bad-request' : 'unavailable';
  return new ControlError(code, `${name}: the call failed (${kind})`, { cause: error });
}

export function createLambdaControl(options: LambdaControlOptions): Control {
  return new LambdaControl(options);
}
