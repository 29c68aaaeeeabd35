/**
 * A recording store in memory, for unit tests: it counts what is read of it, and fails when it is told to.
 */
import type { RecordingSource } from '../recording/recording_source.ts';
import { bytesOf } from '../stored_object.ts';

interface Kept {
  readonly text: string;
  readonly version: number;
  readonly modifiedAtMs: number;
}

export class MemorySource implements RecordingSource {
  readonly reads: string[] = [];
  /** Every read fails with it. */
  failure: Error | undefined;
  /** The store's clock, ms since 1970. */
  nowMs = Date.parse('2026-11-22T20:00:00.000Z');
  readonly #objects = new Map<string, Kept>();
  #version = 0;

  /** @param value text as it is, anything else as JSON */
  put(key: string, value: unknown): void {
    this.#version += 1;
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.#objects.set(key, { text, version: this.#version, modifiedAtMs: this.nowMs });
  }

  delete(key: string): void {
    this.#objects.delete(key);
  }

  readonly get: RecordingSource['get'] = async (key) => {
    this.reads.push(key);
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    const found = this.#objects.get(key);
    return found === undefined
      ? undefined
      : { body: bytesOf(found.text), etag: `"v${found.version}"`, contentType: undefined };
  };

  readonly list: RecordingSource['list'] = async (prefix, options) => {
    this.reads.push(`list ${prefix}`);
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const folderOf = (key: string): string | undefined => {
      const slash = key.indexOf('/', prefix.length);
      return slash < 0 ? undefined : key.slice(0, slash + 1);
    };
    const folders = options.folders === true ? [...new Set(keys.flatMap((key) => folderOf(key) ?? []))] : [];
    const direct = options.folders === true ? keys.filter((key) => folderOf(key) === undefined) : keys;
    return {
      objects: direct.map((key) => {
        const { version, modifiedAtMs } = this.#objects.get(key) ?? { version: 0, modifiedAtMs: 0 };
        return { key, etag: `"v${version}"`, modifiedAtMs };
      }),
      folders,
      nowMs: this.nowMs,
    };
  };
}
