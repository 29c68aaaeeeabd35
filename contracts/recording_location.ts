/**
 * What `HW_RECORDING_STORE` names: a folder, or a bucket and a prefix in it.
 */
import { SettingError } from './settings.ts';

export type RecordingLocation =
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Empty, or ends with a slash. */
      readonly prefix: string;
    };

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*$/;
const LONGEST_PREFIX = 100;

/**
 * @param text `file:PATH` or `s3://bucket/prefix`
 * @throws SettingError in one line
 */
export function parseRecordingLocation(text: string): RecordingLocation {
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (path !== '') return { kind: 'file', path };
  }
  const s3 = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(text);
  const bucket = s3?.[1] ?? '';
  const folder = (s3?.[2] ?? '').replace(/\/+$/, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  if (BUCKET.test(bucket) && PREFIX.test(prefix) && prefix.length <= LONGEST_PREFIX) {
    return { kind: 's3', bucket, prefix };
  }
  throw new SettingError(
    `HW_RECORDING_STORE: got ${JSON.stringify(text)}, wanted file:PATH or s3://bucket/prefix (letters, digits, _ . -)`,
  );
}
