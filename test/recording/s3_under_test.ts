/**
 * The S3 that tests use: the one that `HW_TEST_S3_ENDPOINT` names, with the credentials of the environment, or a Ceph
 * of our own. A bucket of its own for each run.
 */
import { isFull } from '../layers/needs_full.ts';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { startCeph } from './ceph.ts';

export interface S3UnderTest {
  readonly endpoint: string;
  readonly bucket: string;
  /** What a program that uses it must have in its environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Whether this run has an S3: the full layer starts one. */
export const hasS3 = isFull || process.env['HW_TEST_S3_ENDPOINT'] !== undefined;

export async function startS3(): Promise<S3UnderTest> {
  const given = process.env['HW_TEST_S3_ENDPOINT'];
  const server =
    given === undefined
      ? await startCeph()
      : {
          endpoint: given,
          accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
          secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
          stop: () => Promise.resolve(),
        };
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const env = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: process.env['AWS_REGION'] ?? 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const bucket = `headwater-test-${randomBytes(6).toString('hex')}`;
  const client = new S3Client({
    endpoint,
    forcePathStyle: true,
    region: env.AWS_REGION,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    client.destroy();
  }
  return { endpoint, bucket, env, stop: () => server.stop() };
}
