/**
 * Recordings in a folder, as the one-machine run writes them: the key of an object is its path in it.
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreKey } from '../../contracts/recording.ts';
import type { ListedObject, Listing, RecordingSource } from '../src/recording/recording_source.ts';

/** Words between slashes, none beginning with a dot: nothing outside of the folder can be named. */
const KEY = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*)?$/;
/** Not there: a folder of the key's name is a file, or it is a symbolic link. */
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR']);

/** @param folder absolute; need not be there yet */
export function createFileSource(folder: string): RecordingSource {
  return {
    get: async (key, { maxBytes }) => {
      if (!KEY.test(key)) return undefined;
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await unlessMissing(open(join(folder, key), flags));
      if (file === undefined) return undefined;
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) return undefined;
        if (Number(stats.size) > maxBytes) throw new Error(`${key}: got more than ${maxBytes} bytes`);
        const body = new Uint8Array(new ArrayBuffer(Number(stats.size)));
        let length = 0;
        while (length < body.byteLength) {
          const { bytesRead } = await file.read(body, length, body.byteLength - length);
          if (bytesRead === 0) throw new Error(`${key}: ended after ${length} of ${body.byteLength} bytes`);
          length += bytesRead;
        }
        return { body, etag: etagOf(stats), contentType: undefined };
      } finally {
        await file.close();
      }
    },
    list: async (prefix, { limit, folders }) => {
      if (!PREFIX.test(prefix)) throw new Error(`got the prefix ${JSON.stringify(prefix.slice(0, 80))}`);
      const objects: ListedObject[] = [];
      const names: string[] = [];
      await walk(folder, prefix, { folders: folders === true, limit, objects, names });
      return { objects, folders: names, nowMs: Date.now() } satisfies Listing;
    },
  };
}

interface Walk {
  readonly folders: boolean;
  readonly limit: number;
  readonly objects: ListedObject[];
  readonly names: string[];
}

/** In the order of whole keys: a folder's slash counts, so `a-b` stands before `a/b`. */
async function walk(folder: string, prefix: StoreKey, into: Walk): Promise<void> {
  const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const entries = (await unlessMissing(readdir(join(folder, parent), { withFileTypes: true }))) ?? [];
  const keys = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
    .map((entry) => `${parent}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .filter((key) => key.startsWith(prefix))
    .toSorted((one, other) => (one < other ? -1 : 1));
  for (const key of keys) {
    if (into.objects.length + into.names.length >= into.limit) return;
    if (!key.endsWith('/')) {
      const stats = await unlessMissing(stat(join(folder, key), { bigint: true }));
      if (stats !== undefined) into.objects.push({ key, etag: etagOf(stats), modifiedAtMs: Number(stats.mtimeMs) });
    } else if (into.folders) into.names.push(key);
    else await walk(folder, key, into);
  }
}

/** Each write is a new file: its number and its time change with the content. */
function etagOf(stats: BigIntStats): string {
  return `"${stats.ino.toString(36)}-${stats.mtimeNs.toString(36)}-${stats.size.toString(36)}"`;
}

async function unlessMissing<Value>(action: Promise<Value>): Promise<Value | undefined> {
  try {
    return await action;
  } catch (error) {
    if (error instanceof Error && 'code' in error && MISSING.has(String(error.code))) return undefined;
    throw error;
  }
}
