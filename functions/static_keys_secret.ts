/**
 * Static keys from a secret that people change while the function runs: read again after a short while, so that a key
 * that was taken out is refused within a minute, and one that was put in is known.
 */
import type { StreamId } from '../contracts/ids.ts';
import { parseStaticKeys, StaticKeysError } from './static_keys.ts';
import type { StaticKeys } from './static_keys.ts';

export interface SecretKeys {
  /** The stream that the key publishes. Rejects when the secret cannot be read, or makes no sense. */
  find(streamKey: string): Promise<StreamId | undefined>;
}

export interface SecretKeysOptions {
  /** The secret's text; undefined: there is none yet. */
  readonly read: () => Promise<string | undefined>;
  readonly clock: {
    /** ms from an arbitrary start; never goes back. */
    readonly monotonicMs: () => number;
  };
  /** Told why the secret could not be used, in one line without anything that it holds. */
  readonly onError: (reason: string) => void;
}

/** What was read is believed for this long, ms. */
const FRESH_MS = 20_000;
/** And for this long while it cannot be read again, ms. */
const STALE_MS = 50_000;

interface Known {
  readonly keys: StaticKeys;
  readonly atMs: number;
}

export function createSecretKeys({ read, clock, onError }: SecretKeysOptions): SecretKeys {
  let known: Known | undefined;
  let reading: Promise<Known> | undefined;
  const readAnew = async (): Promise<Known> => {
    const atMs = clock.monotonicMs();
    const text = await read();
    return { keys: parseStaticKeys(text ?? '', { name: 'HW_STREAM_KEYS_SECRET', digestsOnly: true }), atMs };
  };
  /** One question for all who wait. */
  const refresh = async (): Promise<Known> => {
    reading ??= readAnew().finally(() => {
      reading = undefined;
    });
    known = await reading;
    return known;
  };
  const current = async (): Promise<Known> => {
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() - known.atMs;
    if (known !== undefined && ageMs < FRESH_MS) return known;
    try {
      return await refresh();
    } catch (error) {
      // Messages of AWS name the secret; those of its text stand in StaticKeysError alone, which shows none of it.
      onError(error instanceof StaticKeysError ? error.message : error instanceof Error ? error.name : typeof error);
      if (known !== undefined && ageMs < STALE_MS) return known;
      throw error;
    }
  };
  return { find: async (streamKey) => (await current()).keys.find(streamKey) };
}
