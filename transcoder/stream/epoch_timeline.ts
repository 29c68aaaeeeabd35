/**
 * Maps a publisher's timestamps to the timeline of one epoch, on which the first key frame stands at EPOCH_START_MS, and
 * notices when the publisher's clock jumps: FFmpeg must never see that (a jump back freezes its video silently).
 */

/** Room for audio that belongs before the first key frame: FLV timestamps cannot be negative. */
export const EPOCH_START_MS = 1000;
/** A track may step back this far (encoders interleave loosely) before it counts as a jump. */
const BACKWARD_TOLERANCE_MS = 500;
/** A track may step forward this much more than the time that passed. */
const FORWARD_TOLERANCE_MS = 2000;
/** A track that starts further than this from the other one does not belong to this timeline. */
const STRAY_MS = 5000;
/** FLV timestamps have 31 bits without a sign: a stream that runs for 24 days goes on in a new epoch. */
const LAST_MS = 2 ** 31 - 1;

export type Placement =
  | { readonly kind: 'at'; readonly timestampMs: number }
  /** Before the epoch's first key frame, or on another timeline than the rest: to be dropped. */
  | { readonly kind: 'stray' }
  /** The publisher's clock jumped: a new epoch is due. */
  | { readonly kind: 'jump' };

interface Position {
  sourceMs: number;
  arrivedAtMs: number;
}

export class EpochTimeline {
  readonly #offsetMs: number;
  readonly #positions: { audio?: Position; video?: Position } = {};

  /** @param firstMs the publisher's timestamp of the first key frame (or first audio, without video) */
  constructor(firstMs: number) {
    this.#offsetMs = EPOCH_START_MS - firstMs;
  }

  /** @param nowMs when the tag arrived, on the monotonic clock */
  place(track: 'audio' | 'video', sourceMs: number, nowMs: number): Placement {
    const timestampMs = sourceMs + this.#offsetMs;
    const last = this.#positions[track];
    if (last === undefined) {
      const other = this.#positions[track === 'audio' ? 'video' : 'audio'];
      const reference = other?.sourceMs ?? EPOCH_START_MS - this.#offsetMs;
      if (timestampMs < 0 || Math.abs(sourceMs - reference) > STRAY_MS) return { kind: 'stray' };
    } else {
      const step = sourceMs - last.sourceMs;
      if (timestampMs > LAST_MS) return { kind: 'jump' };
      if (step < -BACKWARD_TOLERANCE_MS) return { kind: 'jump' };
      if (step > FORWARD_TOLERANCE_MS + (nowMs - last.arrivedAtMs)) return { kind: 'jump' };
    }
    this.#positions[track] = { sourceMs: Math.max(sourceMs, last?.sourceMs ?? sourceMs), arrivedAtMs: nowMs };
    return { kind: 'at', timestampMs };
  }
}
