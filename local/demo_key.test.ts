import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOrMakeDemoKey } from './demo_key.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-key-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('makes a key once, readable by its owner alone, and keeps it', async () => {
  const first = await readOrMakeDemoKey(join(folder, 'data'));
  expect(first.streamKey).toMatch(/^[A-Za-z0-9_-]{24}$/);
  expect((await stat(first.path)).mode & 0o777).toBe(0o600);
  expect(await readOrMakeDemoKey(join(folder, 'data'))).toEqual(first);
});

test('two starts at once agree on one key', async () => {
  const [a, b] = await Promise.all([readOrMakeDemoKey(folder), readOrMakeDemoKey(folder)]);
  expect(a).toEqual(b);
});

test('a file that is no key is said, and its content is not', async () => {
  await writeFile(join(folder, 'demo-stream-key'), 'a b\n');
  await expect(readOrMakeDemoKey(folder)).rejects.toThrow('wanted one stream key');
  await expect(readOrMakeDemoKey(folder)).rejects.not.toThrow('a b');
});
