/**
 * The reader of recordings that HW_RECORDING_STORE names, on runtimes with a file system.
 */
import { resolve } from 'node:path';
import type { RecordingSource } from '../src/recording/recording_source.ts';
import { createFileSource } from './file_source.ts';
import { recordingLocation, s3FromEnvironment } from './s3_from_environment.ts';

/** Undefined: HW_RECORDING_STORE is not set. @throws SettingError in one line */
export function recordingsFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): RecordingSource | undefined {
  const location = recordingLocation(env);
  if (location === undefined) return undefined;
  return location.kind === 'file' ? createFileSource(resolve(location.path)) : s3FromEnvironment(location, env);
}
