import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileSource } from './file_source.ts';

const LIMITS = { timeoutMs: 1000, maxBytes: 100 };

let parent: string;
let folder: string;

async function put(key: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, key)), { recursive: true });
  await writeFile(join(folder, key), text);
}

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'headwater-source-'));
  folder = join(parent, 'recordings');
  await writeFile(join(parent, 'outside'), 'secret');
});
afterEach(async () => rm(parent, { recursive: true, force: true }));

describe('recordings in a folder', () => {
  it('are read by key', async () => {
    await put('demo/5/720p/1.m4s', 'media');
    const source = createFileSource(folder);
    const first = await source.get('demo/5/720p/1.m4s', LIMITS);
    expect(new TextDecoder().decode(first?.body)).toBe('media');
    await put('demo/5/720p/1.m4s', 'other');
    expect((await source.get('demo/5/720p/1.m4s', LIMITS))?.etag).not.toBe(first?.etag);
    await put('demo/big', 'x'.repeat(101));
    await expect(source.get('demo/big', LIMITS)).rejects.toThrow('more than 100 bytes');
  });

  it.each([
    '../outside',
    'demo/../../outside',
    '/etc/passwd',
    'demo//x',
    '.writing/x',
    'demo',
    'demo/none',
    'link',
    'demo/5/720p/1.m4s/x',
    '',
  ])('hold nothing under %j', async (key) => {
    await put('demo/5/720p/1.m4s', 'media');
    await symlink(join(parent, 'outside'), join(folder, 'link'));
    expect(await createFileSource(folder).get(key, LIMITS)).toBeUndefined();
  });

  it('are listed in the order of their keys, without what is being written', async () => {
    for (const key of ['a/vod-1/b', 'a/vod-1-x', 'a/vod-1.m3u8', 'a/vod-2/c/d', 'a/w', '.writing/x'])
      await put(key, 'x');
    const source = createFileSource(folder);
    const all = await source.list('a/vod-', { timeoutMs: 1000, limit: 100 });
    expect(all.objects.map(({ key }) => key)).toEqual(['a/vod-1-x', 'a/vod-1.m3u8', 'a/vod-1/b', 'a/vod-2/c/d']);
    const names = await source.list('a/vod-', { timeoutMs: 1000, limit: 100, folders: true });
    expect(names.folders).toEqual(['a/vod-1/', 'a/vod-2/']);
    expect((await source.list('none/', { timeoutMs: 1000, limit: 100 })).objects).toEqual([]);
    expect((await source.list('a/', { timeoutMs: 1000, limit: 2 })).objects).toHaveLength(2);
    await expect(source.list('../', { timeoutMs: 1000, limit: 2 })).rejects.toThrow('got the prefix');
  });
});
