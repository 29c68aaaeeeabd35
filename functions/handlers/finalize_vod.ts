/**
 * The function `finalizeVod`: makes the recording of a session that is over final.
 */
import { finalizeVodRequestSchema } from '../../contracts/function_calls.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings, SettingError } from '../../contracts/settings.ts';
import { openStore } from '../../storage/open_store.ts';
import { controlPlaneFromEnvironment } from '../control_plane.ts';
import { createHandler } from '../create_handler.ts';
import type { FunctionHandler } from '../create_handler.ts';
import { createFinalizeVod } from '../finalize_vod.ts';
import type { AnnounceVod, FinalizeVod } from '../finalize_vod.ts';
import type { FunctionLog } from '../function_log.ts';
import { lambdaEntry } from '../lambda_entry.ts';
import type { Environment } from '../lambda_entry.ts';

export interface FinalizeVodFunctionOptions {
  readonly finalize: FinalizeVod;
  readonly log: FunctionLog;
  readonly nowMs: () => number;
}

export function createFinalizeVodFunction({ finalize, log, nowMs }: FinalizeVodFunctionOptions): FunctionHandler {
  return createHandler({
    name: 'finalizeVod',
    schema: finalizeVodRequestSchema,
    act: finalize,
    describe: (request, reply) => ({ ...request, ...reply }),
    log,
    throws: true,
    clock: { nowMs },
  });
}

/** @throws SettingError in one line */
export function composeFinalizeVod(env: Environment, log: FunctionLog, announce: AnnounceVod): FunctionHandler {
  const { recordingStore, s3Endpoint } = readSettings(SETTINGS, env);
  if (recordingStore === undefined) {
    throw new SettingError('HW_RECORDING_STORE: not set, wanted the store that recordings are in');
  }
  const store = openStore(recordingStore, { s3Endpoint });
  return createFinalizeVodFunction({ finalize: createFinalizeVod({ store, announce, log }), log, nowMs: Date.now });
}

function compose(env: Environment, log: FunctionLog): FunctionHandler {
  return composeFinalizeVod(env, log, controlPlaneFromEnvironment(env, log).announceVod);
}

export const handler = lambdaEntry(compose, process.env);
