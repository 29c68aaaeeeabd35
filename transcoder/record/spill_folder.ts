/**
 * Uploads that wait on disk, one file each: a line that says what it is, then its bytes. A later run takes over what a
 * run left that is no more. Bounded in bytes; nothing here is a recording until it is in the store.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parsePayload } from '../../contracts/schema.ts';
import type { Logger } from '../logger.ts';
import { spillRecordSchema } from './spill_record.ts';
import type { SpillRecord } from './spill_record.ts';
import type { QueuedUpload, SpilledBody } from './upload.ts';

export interface SpillFolderOptions {
  /** Absolute. Shared by the programs of one machine: each has a folder of its own in it. */
  readonly root: string;
  readonly maxBytes: number;
  /** Random letters and digits that name this run. */
  readonly runId: string;
  readonly logger: Logger;
}

export interface Adopted {
  readonly record: SpillRecord;
  readonly body: SpilledBody;
}

const SUFFIX = '.spill';
/** A head is far smaller. */
const MAX_HEAD = 16 * 1024;

export class SpillFolder {
  readonly #options: SpillFolderOptions;
  #own: Promise<string> | undefined;
  #serial = 0;
  #bytes = 0;

  constructor(options: SpillFolderOptions) {
    this.#options = options;
  }

  /** Bytes on disk, of this run and of those it took over from. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws Error when there is no room, or the disk fails */
  readonly keep = async (item: QueuedUpload): Promise<SpilledBody> => {
    const { origin, key, options } = item.upload;
    if (origin === undefined) throw new Error(`${key} is not kept on disk`);
    const bytes = Buffer.concat(await item.read());
    const { sha256 = sha256Of(bytes), contentType, cacheControl, onlyIfAbsent, keepDays } = options;
    const record: SpillRecord = {
      v: 1,
      key,
      sha256,
      size: bytes.length,
      options: {
        contentType,
        cacheControl,
        ...(onlyIfAbsent === undefined ? {} : { onlyIfAbsent }),
        ...(keepDays === undefined ? {} : { keepDays }),
      },
      origin,
    };
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(record)}\n`), bytes]);
    const { maxBytes } = this.#options;
    if (this.#bytes + content.length > maxBytes) throw new Error(`the ${maxBytes} bytes for waiting uploads are full`);
    this.#bytes += content.length;
    try {
      const path = join(await this.#folder(), `${String((this.#serial += 1)).padStart(9, '0')}${SUFFIX}`);
      await writeWhole(path, content);
      return this.#bodyAt(path, content.length, sha256);
    } catch (error) {
      this.#bytes -= content.length;
      throw error;
    }
  };

  /** What earlier runs left, oldest first; it counts against the bound. Files that are damaged are said to be, and removed. */
  async adopt(): Promise<readonly Adopted[]> {
    const runs = (await unlessMissing(readdir(this.#options.root))) ?? [];
    const adopted: Adopted[] = [];
    for (const run of runs.toSorted()) {
      if (await isRunning(run, this.#options.runId)) continue;
      const folder = join(await this.#folder(), `from-${run}`);
      // Of two that start at once, one gets it.
      const isOurs = await unlessMissing(rename(join(this.#options.root, run), folder).then(() => true));
      if (isOurs === true) adopted.push(...(await this.#read(folder)));
    }
    return adopted;
  }

  async #read(folder: string): Promise<readonly Adopted[]> {
    const names = await readdir(folder, { recursive: true });
    const found: Adopted[] = [];
    for (const name of names.toSorted()) {
      const path = join(folder, name);
      if (name.endsWith('.part')) await unlink(path);
      if (!name.endsWith(SUFFIX)) continue;
      try {
        const { record, size } = await readHead(path);
        this.#bytes += size;
        found.push({ record, body: this.#bodyAt(path, size, record.sha256) });
      } catch (error) {
        this.#options.logger.error({ err: error, path }, 'a spilled file is damaged: it is lost');
        await unlink(path);
      }
    }
    if (found.length === 0) await rm(folder, { recursive: true, force: true });
    return found;
  }

  /** Takes away the folders that are empty. */
  async close(): Promise<void> {
    if (this.#own === undefined) return;
    const own = await this.#own;
    const names = await unlessMissing(readdir(own));
    for (const name of names ?? []) await rmdirIfEmpty(join(own, name));
    await rmdirIfEmpty(own);
  }

  #bodyAt(path: string, bytes: number, sha256: string): SpilledBody {
    return {
      bytes,
      read: async () => {
        const content = await readFile(path);
        const body = content.subarray(content.indexOf(10) + 1);
        if (sha256Of(body) !== sha256) throw new Error(`${path} does not have the SHA-256 that it was written with`);
        return body;
      },
      remove: async () => {
        this.#bytes -= bytes;
        await unlessMissing(unlink(path));
      },
    };
  }

  /** Made when it is needed: a machine whose disk cannot be written may never need it. */
  #folder(): Promise<string> {
    this.#own ??= (async () => {
      const folder = join(this.#options.root, `${await processName(process.pid)}-${this.#options.runId}`);
      await mkdir(folder, { recursive: true });
      return folder;
    })().catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    });
    return this.#own;
  }
}

async function writeWhole(path: string, content: Buffer): Promise<void> {
  const temporary = `${path}.part`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlessMissing(unlink(temporary));
    throw error;
  }
}

async function readHead(path: string): Promise<{ readonly record: SpillRecord; readonly size: number }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEAD), 0, MAX_HEAD, 0);
    const end = buffer.subarray(0, bytesRead).indexOf(10);
    if (end < 0) throw new Error('it has no head');
    const record = parsePayload(spillRecordSchema, JSON.parse(buffer.toString('utf8', 0, end)), 'spilled file');
    if (size !== end + 1 + record.size) throw new Error(`it has ${size - end - 1} bytes of ${record.size}`);
    return { record, size };
  } finally {
    await file.close();
  }
}

/**
 * Names a process so that another one with its number is not taken for it: by its start, where the system says when.
 */
async function processName(pid: number): Promise<string> {
  const about = await unlessMissing(readFile(`/proc/${pid}/stat`, 'utf8'));
  // proc(5): field 22, counted from after the name in parentheses, which may hold anything.
  const startedAt = about?.slice(about.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  return `${pid}-${startedAt}`;
}

/** Whether the run that made this folder goes on, here or in another process. Folders of other names are left alone. */
async function isRunning(folder: string, runId: string): Promise<boolean> {
  const match = /^(([0-9]+)-[0-9]+)-([A-Za-z0-9]+)$/.exec(folder);
  if (match === null || match[3] === runId) return true;
  const pid = Number(match[2]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is such a process, of somebody else.
    if (codeOf(error) === 'ESRCH') return false;
  }
  return (await processName(pid)) === match[1];
}

async function rmdirIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
  }
}

async function unlessMissing<Value>(action: Promise<Value>): Promise<Value | undefined> {
  try {
    return await action;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
