/**
 * The reader of recordings in S3 that the environment describes, on any runtime: HW_RECORDING_STORE, and the standard
 * names of AWS.
 */
import { parseRecordingLocation } from '../../contracts/recording_location.ts';
import type { RecordingLocation } from '../../contracts/recording_location.ts';
import { SETTINGS } from '../../contracts/setting_table.ts';
import { SettingError, readSettings } from '../../contracts/settings.ts';
import type { RecordingSource } from '../src/recording/recording_source.ts';
import { createS3Source } from '../src/recording/s3_source.ts';
import { awsCredentials } from './aws_credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The names that an edge reads for S3, beside its settings. */
export const AWS_NAMES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL_S3',
] as const;

/** HW_REWIND_WINDOW, s. @throws SettingError in one line */
export function rewindSeconds(env: Environment): number {
  return readSettings({ rewindWindow: SETTINGS.rewindWindow }, env).rewindWindow;
}

/** Undefined: HW_RECORDING_STORE is not set. @throws SettingError in one line */
export function recordingLocation(env: Environment): RecordingLocation | undefined {
  const { recordingStore } = readSettings({ recordingStore: SETTINGS.recordingStore }, env);
  return recordingStore === undefined ? undefined : parseRecordingLocation(recordingStore);
}

/** Without credentials every read rejects. */
export function s3FromEnvironment(
  { bucket, prefix }: RecordingLocation & { readonly kind: 's3' },
  env: Environment,
): RecordingSource {
  return createS3Source({
    bucket,
    prefix,
    region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1',
    endpoint: readSettings({ s3Endpoint: SETTINGS.s3Endpoint }, env).s3Endpoint,
    credentials: awsCredentials(env, () => Date.now()),
  });
}

/** For runtimes without files. @throws SettingError in one line, also for a folder */
export function remoteRecordings(env: Environment): RecordingSource | undefined {
  const location = recordingLocation(env);
  if (location?.kind === 'file') {
    throw new SettingError('HW_RECORDING_STORE: got a folder, wanted s3://bucket/prefix: there are no files here');
  }
  return location === undefined ? undefined : s3FromEnvironment(location, env);
}
