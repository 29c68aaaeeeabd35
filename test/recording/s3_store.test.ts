/**
 * The store in a bucket, over a real S3: the contract, what objects carry, and what a bad start is told.
 */
import { GetObjectTaggingCommand, HeadObjectCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../storage/open_store.ts';
import { hasS3, startS3 } from './s3_under_test.ts';
import type { S3UnderTest } from './s3_under_test.ts';
import { describeStore } from './store_contract.ts';

describe.skipIf(!hasS3)('S3 (needs script/test --full)', () => {
  let s3: S3UnderTest;
  const before = { ...process.env };

  beforeAll(async () => {
    s3 = await startS3();
    Object.assign(process.env, s3.env);
  });

  afterAll(async () => {
    process.env = before;
    await s3.stop();
  });

  const open = () => openStore(`s3://${s3.bucket}/live/show`, { s3Endpoint: s3.endpoint });

  describeStore('in a bucket', open);

  test('an object carries its type, its cache header and its days', async () => {
    const sha256 = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881';
    await open().put('show/1/720p/1.m4s', [Buffer.from('x')], {
      contentType: 'video/mp4',
      cacheControl: 'public, max-age=1209600, immutable',
      keepDays: 30,
      sha256,
    });
    const client = new S3Client({ endpoint: s3.endpoint, forcePathStyle: true });
    const at = { Bucket: s3.bucket, Key: 'live/show/show/1/720p/1.m4s' };
    expect(await client.send(new HeadObjectCommand(at))).toMatchObject({
      ContentType: 'video/mp4',
      CacheControl: 'public, max-age=1209600, immutable',
    });
    const { TagSet: tags } = await client.send(new GetObjectTaggingCommand(at));
    expect(tags).toEqual([{ Key: 'headwater-keep-days', Value: '30' }]);
    client.destroy();
  });

  test('a prefix is a folder: its neighbours are neither listed nor touched', async () => {
    const neighbour = openStore(`s3://${s3.bucket}/live/show-two`, { s3Endpoint: s3.endpoint });
    const text = { contentType: 'text/plain', cacheControl: 'no-cache' };
    await neighbour.put('x/1', [Buffer.from('x')], text);
    const listed = [];
    for await (const { key } of open().list('')) listed.push(key);
    expect(listed.filter((key) => key.includes('two') || key.startsWith('-'))).toEqual([]);
    await open().delete(['x/1']);
    expect(await neighbour.head('x/1')).toBeDefined();
  });

  test('a bucket that is not there', async () => {
    const store = openStore('s3://no-such-bucket-of-headwater', { s3Endpoint: s3.endpoint });
    expect(await store.check()).toBe('there is no bucket "no-such-bucket-of-headwater"');
    await expect(store.get('x')).rejects.toMatchObject({ code: 'refused' });
  });

  test.each([
    [{ AWS_ACCESS_KEY_ID: 'nobody' }, /^the AWS credentials for the bucket ".*" are wrong \(InvalidAccessKeyId\)$/],
    [
      { AWS_SECRET_ACCESS_KEY: 'wrong' },
      /^the AWS credentials for the bucket ".*" are wrong \(SignatureDoesNotMatch\)$/,
    ],
  ])('wrong credentials: %o', async (env, line) => {
    const right = { ...process.env };
    Object.assign(process.env, env);
    const store = open();
    expect(await store.check()).toMatch(line);
    Object.assign(process.env, right);
  });

  test('no right to write', async () => {
    const client = new S3Client({ endpoint: s3.endpoint, forcePathStyle: true });
    const nobodyWrites = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:PutObject',
          Resource: `arn:aws:s3:::${s3.bucket}/forbidden/*`,
        },
      ],
    };
    await client.send(new PutBucketPolicyCommand({ Bucket: s3.bucket, Policy: JSON.stringify(nobodyWrites) }));
    const store = openStore(`s3://${s3.bucket}/forbidden`, { s3Endpoint: s3.endpoint });
    expect(await store.check()).toBe(
      `these credentials have no permission to write to the bucket "${s3.bucket}" (AccessDenied)`,
    );
    const text = { contentType: 'text/plain', cacheControl: 'no-cache' };
    await expect(store.put('x', [Buffer.from('x')], text)).rejects.toMatchObject({ code: 'refused' });
    client.destroy();
  });

  test('a server that is not there', async () => {
    const store = openStore(`s3://${s3.bucket}`, { s3Endpoint: 'http://127.0.0.1:1' });
    expect(await store.check()).toBe(`the bucket "${s3.bucket}" cannot be reached (ECONNREFUSED)`);
    await expect(store.get('x')).rejects.toMatchObject({ code: 'again' });
  });
});
