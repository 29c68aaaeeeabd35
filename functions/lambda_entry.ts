/**
 * How a handler file starts in Lambda: it is composed from the environment by the first call, and kept.
 */
import { createFunctionLog } from './function_log.ts';
import type { FunctionLog } from './function_log.ts';
import type { CallContext } from './create_handler.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a handler file exports. */
export function lambdaEntry<Reply>(
  compose: (env: Environment, log: FunctionLog) => (event: unknown, context: CallContext) => Promise<Reply>,
  env: Environment,
): (event: unknown, context: CallContext) => Promise<Reply> {
  let composed: ((event: unknown, context: CallContext) => Promise<Reply>) | undefined;
  return (event, context) => {
    composed ??= compose(
      env,
      createFunctionLog((line) => process.stdout.write(`${line}\n`), Date.now),
    );
    return composed(event, context);
  };
}
