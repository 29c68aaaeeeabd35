/**
 * The store of one machine: the contract, and what a folder can do that a bucket cannot.
 */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../storage/open_store.ts';
import { describeStore } from './store_contract.ts';

let folder: string;
const open = () => openStore(`file:${join(folder, 'recordings')}`);
const TEXT = { contentType: 'text/plain', cacheControl: 'no-cache' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-store-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describeStore('in a folder', open);

describe('a folder', () => {
  test('a link out of it is not followed', async () => {
    await writeFile(join(folder, 'secret'), 'not ours');
    await mkdir(join(folder, 'recordings/linked'), { recursive: true });
    await symlink(join(folder, 'secret'), join(folder, 'recordings/linked/one'));
    expect(await open().get('linked/one')).toBeUndefined();
    expect(await open().head('linked/one')).toBeUndefined();
    const listed = [];
    for await (const { key } of open().list('linked/')) listed.push(key);
    expect(listed).toEqual([]);
  });

  test('leaves nothing of its own behind, and shows nothing that is being written', async () => {
    await open().put('left/behind', [Buffer.from('x')], TEXT);
    await writeFile(join(folder, 'recordings/.writing/half'), 'half');
    const listed = [];
    for await (const { key } of open().list('')) listed.push(key);
    expect(listed).not.toContain('.writing/half');
    await rm(join(folder, 'recordings/.writing/half'));
    expect(await readdir(join(folder, 'recordings/.writing'))).toEqual([]);
  });

  test('says in one line that it cannot be written', async () => {
    await writeFile(join(folder, 'a-file'), 'x');
    const store = openStore(`file:${join(folder, 'a-file/recordings')}`);
    expect(await store.check()).toBe(`the folder ${join(folder, 'a-file/recordings')} cannot be written (ENOTDIR)`);
    await expect(store.put('a', [Buffer.from('x')], TEXT)).rejects.toMatchObject({ code: 'again' });
  });
});

describe('HW_RECORDING_STORE', () => {
  test.each([
    '',
    'file:',
    'recordings',
    '/srv/recordings',
    's3:',
    's3://',
    's3://B',
    's3://bucket/a b',
    's3://bucket/../x',
  ])('cannot be %j', (location) => {
    expect(() => openStore(location)).toThrow(/^HW_RECORDING_STORE: got .*, wanted file:PATH or s3:/);
  });

  test.each(['file:./data/recordings', 'file:///srv/x', 's3://bucket', 's3://bucket/', 's3://my.bucket-1/a/b_c/'])(
    'may be %j',
    (location) => {
      const store = openStore(location);
      expect(store).toHaveProperty('put');
      store.close();
    },
  );
});
