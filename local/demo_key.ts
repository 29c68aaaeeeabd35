/**
 * The stream key of the one-machine run when none is set: made at the first start, kept in a file that only its owner
 * can read.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface KeyFile {
  readonly path: string;
  readonly streamKey: string;
}

const KEY = /^[A-Za-z0-9_-]{16,128}$/;

/** Reads the key of the stream `demo`, or makes it. @throws Error in one line when the file cannot be used */
export async function readOrMakeDemoKey(dataDir: string): Promise<KeyFile> {
  try {
    return await readOrMake(dataDir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new Error(`HW_DATA_DIR: a stream key cannot be kept in ${dataDir} (${code})`, { cause: error });
  }
}

async function readOrMake(dataDir: string): Promise<KeyFile> {
  const path = join(dataDir, 'demo-stream-key');
  const found = await readKey(path);
  if (found !== undefined) return { path, streamKey: found };
  const streamKey = randomBytes(18).toString('base64url');
  await mkdir(dataDir, { recursive: true });
  // Written whole beside it, then linked: of two programs that start at once, one makes the key and the other reads it.
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${streamKey}\n`, { mode: 0o600, flag: 'wx' });
  const made = await linked(draft, path);
  await unlink(draft);
  if (made) return { path, streamKey };
  return { path, streamKey: (await readKey(path)) ?? streamKey };
}

async function readKey(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (!KEY.test(text))
    throw new Error(
      `${path}: wanted one stream key of 16 to 128 letters, digits, - and _; remove the file to have a new one made`,
    );
  return text;
}

/** False when `path` is there already. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
