/**
 * Puts the media of a session's publishers on one timeline that goes on rising: targets keep their connection while a
 * publisher is away, and take a step back in time for a broken stream. As long as a publisher's clock behaves, its
 * timestamps stay as they are.
 */
import type { MediaTag } from '../flv/media_tag.ts';

/** Encoders interleave their tracks loosely: this much is no step back. */
const BACKWARD_TOLERANCE_MS = 1000;
/** Time may step forward this much more than the clock did. */
const FORWARD_TOLERANCE_MS = 10_000;
/** Between the last tag of one timeline and the first one of the next, at least, ms: about one frame. */
const JOINT_MS = 20;

export class RelayTimeline {
  #offsetMs = 0;
  /** The newest timestamp given out, and when; undefined before the first. */
  #last: { readonly timestampMs: number; readonly atMs: number } | undefined;
  #mustJoin = false;

  /** What comes next is another publisher's. */
  restart(): void {
    this.#mustJoin = this.#last !== undefined;
  }

  /**
   * The tag's time on the session's line, ms. Metadata and headers, whose times mean little, move nothing.
   * @param nowMs on the monotonic clock
   */
  place({ timestampMs }: MediaTag, isHeader: boolean, nowMs: number): number {
    const last = this.#last;
    if (isHeader) return last?.timestampMs ?? Math.max(0, timestampMs);
    if (last !== undefined) {
      const step = timestampMs + this.#offsetMs - last.timestampMs;
      const passedMs = nowMs - last.atMs;
      if (this.#mustJoin || step < -BACKWARD_TOLERANCE_MS || step > passedMs + FORWARD_TOLERANCE_MS) {
        this.#offsetMs = last.timestampMs + Math.max(JOINT_MS, Math.round(passedMs)) - timestampMs;
      }
    }
    this.#mustJoin = false;
    const placed = Math.max(0, timestampMs + this.#offsetMs);
    this.#last = { timestampMs: Math.max(placed, last?.timestampMs ?? 0), atMs: nowMs };
    return placed;
  }
}
