/**
 * What an error of the S3 client means: whether the same call may do later, and one line for the operator.
 */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { StoreError } from '../contracts/recording_store.ts';

/** Errors that the same call will meet again until someone changes rights, keys or the bucket. */
const REFUSALS: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AuthorizationHeaderMalformed',
  'CredentialsProviderError',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidBucketName',
  'NoSuchBucket',
  'PermanentRedirect',
  'SignatureDoesNotMatch',
]);

export function asStoreError(key: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  const refused = error instanceof Error && (REFUSALS.has(error.name) || status === 403);
  const what = `${nameOf(error)}${status === undefined ? '' : `, HTTP ${status}`}`;
  return new StoreError(refused ? 'refused' : 'again', `${key === '' ? 'the bucket' : key}: ${what}`, { cause: error });
}

/** @returns one line without a key or a token */
export function explainS3Error(error: unknown, bucket: string): string {
  const name = nameOf(error);
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  switch (name) {
    case 'NoSuchBucket':
      return `there is no bucket "${bucket}"`;
    case 'CredentialsProviderError':
      return `no AWS credentials were found for the bucket "${bucket}"`;
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'ExpiredToken':
      return `the AWS credentials for the bucket "${bucket}" are wrong (${name})`;
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return `the bucket "${bucket}" is in another region than AWS_REGION (${name})`;
    default:
  }
  if (name === 'AccessDenied' || status === 403) {
    return `these credentials have no permission to write to the bucket "${bucket}" (${name})`;
  }
  return `the bucket "${bucket}" cannot be reached (${name}${status === undefined ? '' : `, HTTP ${status}`})`;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  // Of a connection the code says more than the name.
  return 'code' in error && typeof error.code === 'string' && error.name === 'Error' ? error.code : error.name;
}
