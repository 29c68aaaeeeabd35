/**
 * The door for `npm run hw` into a program that has its functions in process: the function `registry` behind an Invoke
 * endpoint on loopback, with credentials of this run.
 */
import { randomBytes } from 'node:crypto';
import { resolve as resolvePath } from 'node:path';
import type { FunctionLog } from '../functions/function_log.ts';
import { createRegistryFunction } from '../functions/handlers/registry.ts';
import type { RegistryFunctionOptions } from '../functions/handlers/registry.ts';
import { writeControlFile } from './control_file.ts';
import type { ControlPoint } from './control_file.ts';
import { startInvokeServer } from './invoke_server.ts';

export interface ByHandOptions extends Pick<RegistryFunctionOptions, 'registry' | 'pump'> {
  readonly dataDir: string;
  readonly functionPrefix: string;
  readonly log: FunctionLog;
}

/** Without a folder that it may write to, it says so and opens nothing. @returns closes it */
export async function openByHand(options: ByHandOptions): Promise<() => Promise<void>> {
  const { registry, pump, log, functionPrefix } = options;
  const credentials = { accessKeyId: 'local', secretAccessKey: randomBytes(24).toString('base64url') };
  const server = await startInvokeServer({
    host: '127.0.0.1',
    port: 0,
    functions: new Map([
      [`${functionPrefix}registry`, createRegistryFunction({ registry, pump, log, nowMs: Date.now })],
    ]),
    credentials,
    nowMs: Date.now,
    onError: (name, error) =>
      log('error', 'a function threw', { function: name, reason: error instanceof Error ? error.message : 'unknown' }),
  });
  const forget = await leaveWord(options, { endpoint: `http://127.0.0.1:${server.port}`, credentials });
  return async () => {
    await forget();
    await server.close();
  };
}

/** @returns takes the word back */
export async function leaveWord(
  { dataDir, log }: Pick<ByHandOptions, 'dataDir' | 'log'>,
  point: ControlPoint,
): Promise<() => Promise<void>> {
  try {
    return await writeControlFile(resolvePath(dataDir), point);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    log('warn', 'HW_DATA_DIR cannot be written to: npm run hw will not find this program', { reason });
    return async () => Promise.resolve();
  }
}
