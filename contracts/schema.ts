/**
 * How a payload is read at a boundary: one schema, and an error that names the path of the first bad field.
 */
import * as z from 'zod/mini';
import { ContractError } from './contract_error.ts';
import { isEpoch, isSessionId, isStreamId } from './ids.ts';
import type { Epoch, SessionId, StreamId } from './ids.ts';

export const streamIdSchema = z.custom<StreamId>(
  isStreamId,
  'wanted a stream id ([a-z0-9][a-z0-9_-]{0,63}, no reserved word)',
);
export const sessionIdSchema = z.custom<SessionId>(isSessionId, 'wanted a session id (a ULID)');
export const epochSchema = z.custom<Epoch>(isEpoch, 'wanted a positive whole number');

/** @throws ContractError naming the first bad field, never the value of a secret. */
export function parsePayload<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: unknown,
  name: string,
): z.infer<Schema> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = [name, ...(issue?.path ?? [])]
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${String(step)}`))
    .join('');
  throw new ContractError(path, issue?.message ?? 'wanted another shape', { cause: result.error });
}
