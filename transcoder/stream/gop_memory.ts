/**
 * What is remembered of a stream's source between sessions: whether its key frames allow it to be passed through.
 */
import type { StreamId } from '../../contracts/ids.ts';

/** Streams remembered at most; the oldest is forgotten first. */
const MAX_STREAMS = 10_000;

export interface SourceMemory {
  /** Longest distance of two key frames in the last session, ms. */
  readonly longestGopMs: number;
  /** Highest video bitrate over ten seconds, bits per second. */
  readonly peakBitrate: number;
}

export class GopMemory {
  readonly #streams = new Map<StreamId, SourceMemory>();

  recall(streamId: StreamId): SourceMemory | undefined {
    return this.#streams.get(streamId);
  }

  remember(streamId: StreamId, memory: SourceMemory): void {
    this.#streams.delete(streamId);
    this.#streams.set(streamId, memory);
    if (this.#streams.size <= MAX_STREAMS) return;
    for (const oldest of this.#streams.keys()) {
      this.#streams.delete(oldest);
      return;
    }
  }
}

const KEYINT = /\bkeyint=(infinite|[0-9]{1,6})\b/;

/**
 * The longest GOP that x264 was told to make, in frames, read from the settings that it writes into its first key
 * frame (SEI, user data unregistered; ITU-T H.264 D.1.7). Undefined when another encoder made it.
 */
export function declaredGopFrames(keyFrame: Buffer): number | undefined {
  const sei = keyFrame.subarray(0, 2048).toString('latin1');
  if (!sei.includes('x264')) return undefined;
  const text = KEYINT.exec(sei)?.[1];
  if (text === undefined) return undefined;
  return text === 'infinite' ? Number.POSITIVE_INFINITY : Number(text);
}
