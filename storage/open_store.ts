/**
 * The store that `HW_RECORDING_STORE` names.
 */
import { resolve } from 'node:path';
import { parseRecordingLocation } from '../contracts/recording_location.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { createFileStore } from './file_store.ts';
import { createS3Store } from './s3_store.ts';

export interface OpenStoreOptions {
  /** Endpoint of an S3 that is not Amazon's (`AWS_ENDPOINT_URL_S3`): its buckets are then part of the path. */
  readonly s3Endpoint?: string | undefined;
}

/**
 * @param location `file:PATH` or `s3://bucket/prefix`
 * @throws SettingError in one line
 */
export function openStore(location: string, options: OpenStoreOptions = {}): RecordingStore {
  const place = parseRecordingLocation(location);
  if (place.kind === 'file') return createFileStore(resolve(place.path));
  return createS3Store({ bucket: place.bucket, prefix: place.prefix, endpoint: options.s3Endpoint });
}
