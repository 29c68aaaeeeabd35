/**
 * Recordings in a folder: one file for each object. A file is there whole or not at all, and on the disk before it is
 * said to be stored. Content types and cache headers are not kept: who serves a file derives them from its key. Nor
 * are days to keep: nothing here expires by itself.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StoreError } from '../contracts/recording_store.ts';
import type { PutOptions, RecordingStore, StoredObjectInfo } from '../contracts/recording_store.ts';
import type { StoreKey } from '../contracts/recording.ts';
import { checkKey, checkPrefix } from './store_key.ts';

/** Files that are being written, inside the store's folder so that a rename takes them to their place. No key begins with a dot. */
const WRITING = '.writing';
const CHECK_KEY = '_check';

class FileStore implements RecordingStore {
  readonly #folder: string;
  /** The last conditional write of each key: they are compared and written one after the other. */
  readonly #turns = new Map<StoreKey, Promise<unknown>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(
    key: StoreKey,
    body: readonly Uint8Array[],
    options: PutOptions,
  ): Promise<{ outcome: 'stored' | 'exists' }> {
    checkKey(key);
    if (options.sha256 !== undefined && sha256Of(body) !== options.sha256) {
      throw new StoreError('refused', `${key}: the body does not have the SHA-256 that was given with it`);
    }
    const write = () => guarded(key, () => this.#write(key, body, options));
    return options.ifMatch === undefined ? write() : this.#inTurn(key, write);
  }

  async get(key: StoreKey): Promise<(StoredObjectInfo & { readonly body: Uint8Array }) | undefined> {
    checkKey(key);
    return guarded(key, async () => {
      // A key is never a symbolic link to elsewhere, nor does opening one wait.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await unlessMissing(open(this.#pathOf(key), flags));
      if (file === undefined) return undefined;
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) return undefined;
        return { ...infoOf(key, stats), body: await file.readFile() };
      } finally {
        await file.close();
      }
    });
  }

  async head(key: StoreKey): Promise<StoredObjectInfo | undefined> {
    checkKey(key);
    return guarded(key, () => this.#stat(key));
  }

  async *list(prefix: StoreKey): AsyncIterable<StoredObjectInfo> {
    checkPrefix(prefix);
    yield* this.#walk('', prefix);
  }

  async delete(keys: readonly StoreKey[]): Promise<void> {
    for (const key of keys) checkKey(key);
    for (const key of keys) {
      await guarded(key, async () => {
        await unlessMissing(unlink(this.#pathOf(key)));
        await this.#pruneAbove(key);
      });
    }
  }

  async check(): Promise<string | undefined> {
    try {
      await this.put(CHECK_KEY, [Buffer.from('ok')], { contentType: 'text/plain', cacheControl: 'no-store' });
      await this.delete([CHECK_KEY]);
      return undefined;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return `the folder ${this.#folder} cannot be written (${codeOf(error.cause) ?? error.message})`;
    }
  }

  close(): void {
    // Nothing is held open.
  }

  async #write(key: StoreKey, body: readonly Uint8Array[], options: PutOptions) {
    const path = this.#pathOf(key);
    const temporary = join(this.#folder, WRITING, randomBytes(12).toString('hex'));
    await mkdir(dirname(temporary), { recursive: true });
    try {
      await writeDurably(temporary, body);
      const outcome = await this.#place(key, temporary, path, options);
      if (outcome === 'stored') await syncFolder(dirname(path));
      return { outcome };
    } finally {
      await unlessMissing(unlink(temporary));
    }
  }

  async #place(key: StoreKey, temporary: string, path: string, options: PutOptions): Promise<'stored' | 'exists'> {
    for (let attempt = 1; ; attempt += 1) {
      await makeFolders(dirname(path));
      try {
        if (options.ifMatch !== undefined && (await this.#stat(key))?.etag !== options.ifMatch) return 'exists';
        if (options.onlyIfAbsent === true) await link(temporary, path);
        else await rename(temporary, path);
        return 'stored';
      } catch (error) {
        if (options.onlyIfAbsent === true && codeOf(error) === 'EEXIST') return 'exists';
        // A delete may have taken the empty folder away meanwhile.
        if (codeOf(error) !== 'ENOENT' || attempt === 3) throw error;
      }
    }
  }

  /** Names in the order of whole keys: a folder's slash counts, so `a-b` stands before `a/b`. */
  async *#walk(folder: string, prefix: StoreKey): AsyncIterable<StoredObjectInfo> {
    const entries = await guarded(folder, () =>
      unlessMissing(readdir(join(this.#folder, folder), { withFileTypes: true })),
    );
    const names = (entries ?? [])
      .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .filter((name) => name.startsWith(prefix) || (name.endsWith('/') && prefix.startsWith(name)))
      .toSorted((one, other) => (one < other ? -1 : 1));
    for (const name of names) {
      if (name.endsWith('/')) {
        yield* this.#walk(name, prefix);
      } else {
        // It may have been deleted since.
        const info = await guarded(name, () => this.#stat(name));
        if (info !== undefined) yield info;
      }
    }
  }

  async #stat(key: StoreKey): Promise<StoredObjectInfo | undefined> {
    const stats = await unlessMissing(lstat(this.#pathOf(key), { bigint: true }));
    return stats?.isFile() === true ? infoOf(key, stats) : undefined;
  }

  /** Takes away the folders above a deleted key that are empty now. */
  async #pruneAbove(key: StoreKey): Promise<void> {
    for (let folder = dirname(key); folder !== '.'; folder = dirname(folder)) {
      try {
        await rmdir(join(this.#folder, folder));
      } catch (error) {
        if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) return;
        throw error;
      }
    }
  }

  async #inTurn<Value>(key: StoreKey, action: () => Promise<Value>): Promise<Value> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(action, action);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  #pathOf(key: StoreKey): string {
    return join(this.#folder, key);
  }
}

/**
 * @param folder absolute; made with the first object. Conditions (`ifMatch`) hold among the writers of one process.
 */
export function createFileStore(folder: string): RecordingStore {
  return new FileStore(folder);
}

function infoOf(key: StoreKey, stats: BigIntStats): StoredObjectInfo {
  return {
    key,
    size: Number(stats.size),
    // Each write is a new file: its number and its time change with the content.
    etag: `"${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}"`,
    modifiedAtMs: Number(stats.mtimeNs / 1_000_000n),
  };
}

function sha256Of(body: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}

async function writeDurably(path: string, body: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await writeAll(file, body);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, body: readonly Uint8Array[]): Promise<void> {
  for (const chunk of body) {
    let written = 0;
    while (written < chunk.byteLength) {
      const { bytesWritten } = await file.write(chunk, written, chunk.byteLength - written);
      written += bytesWritten;
    }
  }
}

/** Makes `folder` and what is missing above it, each of them durable in its parent. */
async function makeFolders(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    await syncFolder(dirname(made));
  }
}

/** A name is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function unlessMissing<Value>(action: Promise<Value>): Promise<Value | undefined> {
  try {
    return await action;
  } catch (error) {
    // ENOTDIR: a folder of the key's name is a file. ELOOP: it is a symbolic link.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function guarded<Value>(key: StoreKey, action: () => Promise<Value>): Promise<Value> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    // A full disk or a lost right may be put right while the program runs.
    throw new StoreError('again', `${key}: ${codeOf(error) ?? String(error)}`, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
