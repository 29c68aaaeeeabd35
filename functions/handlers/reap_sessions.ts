/**
 * The function `reapSessions`, on a schedule of a minute: ends sessions whose server went silent past their window, has
 * recordings made final that nobody made final, and hands over events that were left in the outbox.
 */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod/mini';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings } from '../../contracts/settings.ts';
import { openStore } from '../../storage/open_store.ts';
import { createAskOwner } from '../ask_owner.ts';
import { controlPlaneFromEnvironment } from '../control_plane.ts';
import { createHandler } from '../create_handler.ts';
import type { FunctionHandler } from '../create_handler.ts';
import type { FunctionLog } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';
import { listOpenRecordings } from '../open_recordings.ts';
import type { OutboxPump } from '../outbox_pump.ts';
import { reapSessions } from '../reap_sessions.ts';
import type { OpenRecording, ReapSessionsOptions } from '../reap_sessions.ts';

export interface ReapSessionsFunctionOptions extends Omit<ReapSessionsOptions, 'onError'> {
  readonly pump: OutboxPump;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

/** What the schedule sends is of no interest. */
const scheduledSchema = z.unknown();

export function createReapSessionsFunction(options: ReapSessionsFunctionOptions): FunctionHandler {
  const { pump, log, nowMs, ...reaping } = options;
  return createHandler({
    name: 'reapSessions',
    schema: scheduledSchema,
    act: async () => {
      const report = await reapSessions({
        ...reaping,
        onError: (step, recording, error) =>
          log('error', `${step} failed`, { ...recording, reason: error instanceof Error ? error.message : 'unknown' }),
      });
      await pump.afterCall();
      await pump.sweep();
      return { ...report, ended: report.ended.map(({ streamId, sessionId }) => ({ streamId, sessionId })) };
    },
    describe: (_, reply) => ({ ...reply }),
    log,
    clock: { nowMs },
  });
}

/** Asks the function `finalizeVod` to begin; it works on its own time. */
function invokeFinalizeVod(functionName: string) {
  const client = new LambdaClient({ maxAttempts: 3 });
  return async ({ streamId, sessionId }: OpenRecording): Promise<void> => {
    const Payload = Buffer.from(JSON.stringify({ streamId, sessionId }));
    await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload }), {
      abortSignal: AbortSignal.timeout(5_000),
    });
  };
}

function compose(env: Environment, log: FunctionLog): FunctionHandler {
  const { mediaToken, functionPrefix, recordingStore } = readSettings(SETTINGS, env);
  const { registry, pump } = controlPlaneFromEnvironment(env, log);
  const store =
    recordingStore === undefined ? undefined : openStore(recordingStore, { s3Endpoint: env['AWS_ENDPOINT_URL_S3'] });
  return createReapSessionsFunction({
    sessions: registry,
    askOwner: createAskOwner({ mediaToken }),
    finalizeVod: invokeFinalizeVod(`${functionPrefix}finalizeVod`),
    listOpenRecordings: store === undefined ? undefined : () => listOpenRecordings(store),
    pump,
    log,
    nowMs: Date.now,
  });
}

export const handler = lambdaEntry(compose, process.env);
